"""The ways of running that the experiments of the lesson compare, one file for each experiment (`harness/lesson`)."""
