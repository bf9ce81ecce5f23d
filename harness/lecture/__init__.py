"""The two-layer net as lecture notes of 2017 print it, twice: two programs that look alike and are not.

They are no part of the benchmark, and are never timed: `harness.audit` runs each in a process of its own, as
`python -m harness.lecture`. Nothing else imports them, for they import their framework.
"""

NUM_RECORDED_STEPS = 20
"""Of a program's training steps: of these the weights and gradients are kept too, not only the loss."""
