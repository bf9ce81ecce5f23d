# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Static and dynamic graphs, measured in class
#
# A framework can run your operations one by one, as Python meets them, or record them as a graph first and run the
# whole. People say a lot about which is better. Here you predict, measure on your own machine, and look.
#
# **Install** once, in the project's folder, with Python 3.11 or newer (on Linux, the README's words about PyTorch's
# wheel save gigabytes):
#
# ```sh
# pip install -c constraints.txt -e '.[all,notebook]'
# ```
#
# **Run** the cells in their order. A cell that measures says what it does; no two of them may run at the same time,
# and nothing else should. With `LIKEFORLIKE_PRESET=quick` in the environment all of them together take a few minutes
# and leave much out; without it, all experiments are measured, most of them in section 8, while you talk or rest.
#
# **For teachers**, a class of 50 minutes:
#
# | minutes | section | ask |
# |---|---|---|
# | 0–8 | 1. Two programs that look alike | Would a stopwatch have told you? |
# | 8–12 | 2. One net, four frameworks | Which line computes, and which only writes down? |
# | 12–19 | 3. The certificate | Which mistake would it miss? |
# | 19–25 | 4. When Python runs | Where does a print go? A random number? |
# | 25–34 | 5. Paying up front | Your homework takes 500 steps. What do you use? |
# | 34–40 | 6. The price of an operation | Why are the lines flat on the left? |
# | 40–45 | 7. Returned is not done | Which benchmark that you have read might have this disease? |
# | 45–50 | 8 and 9. The other claims; all verdicts | Which verdict would be another one on a GPU? |
#
# Each section ends with an exercise. What a verdict says depends on the machine: run all cells once before class.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

from harness import mutation
from harness.lesson import clinic, exercises
from harness.lesson.classroom import Classroom
from impls import registry
from impls.faults import FAULTS
from reports.palette import LIGHT, MODES

# %%
PRESET = os.environ.get("LIKEFORLIKE_PRESET", "lesson")
lesson = Classroom(PRESET)
predicted = {}  # by experiment, what you expect: "holds", "only" (in some frameworks), or "not-reproduced"
COLOURS = {mode: LIGHT[mode] for mode in MODES}
pd.set_option("display.max_colwidth", None)

# %% [markdown]
# ## 1. Two programs that look alike
#
# A lecture shows one small net twice. The first program defines a graph once and lets a Session run it; the second
# builds its graph anew in each step. The slides are there to compare the two styles: the same net, the same loss, the
# same data, gradient descent.

# %%
display(lesson.printed())

# %% [markdown]
# **Predict.** Read them in pairs, line by line. Do they train the same net? Which loss is lower in the end?
#
# The next cell runs both as they are printed, from the same numbers, and then the second one once more with its
# learning rate put right.

# %%
programs = lesson.audit()
losses = pd.DataFrame({one["title"]: one["losses"] for one in programs})
losses.index += 1
ax = losses.plot(loglog=True, marker=".", figsize=(9, 4), xlabel="step", ylabel="loss in this step")
ax.legend(loc="lower left")
plt.show()

# %% [markdown]
# No program raised an error, and a stopwatch would have timed them all. A *certificate* compares what a program
# computes with a reference, quantity by quantity, in the order in which a net computes: `loss@0` is the loss before the
# first step, `state@1/w1` is w1 after it.

# %%
for one in programs:
    print(one["title"] + ":", f"refused at {one['refused']}" if one["refused"] else "equal to the reference")
    print(*one["explanation"], "", sep="\n")

# %% [markdown]
# **Exercise.** The first and the third program have the same learning rate. From which step on do their losses differ,
# and why not earlier? What is the second mistake? The checker has a file in which it is to be mended.

# %%
first, _, third = losses.columns
print((losses[third] / losses[first]).head(5))  # change what is shown until you can tell
exercise = next(one for one in exercises.exercises() if one.name == "gradients")
print(exercise.statement, f"python -m harness lesson start {exercise.number}", sep="\n\n")

# %% [markdown]
# ## 2. One net, four frameworks
#
# From here on, everybody computes the same net, written as each framework's own documentation would write it. The next
# cells show the very files that run. Follow the shape of one tensor through all columns.

# %%
display(lesson.sources("forward"))

# %%
display(lesson.sources("grad"))

# %% [markdown]
# **Exercise.** Look at the update too. In each column, which line computes something at once, and which only writes
# down what is to be computed? Does the text of the program tell you?

# %%
STEP = "update"  # "forward", "loss", "grad" or "update"
display(lesson.sources(STEP))

# %% [markdown]
# ## 3. The certificate
#
# How would you find out whether these programs compute the same function?

# %%
display(lesson.ask("same_numbers"))
predicted["same_numbers"] = "?"

# %% [markdown]
# The next cell starts each program in a process of its own, lets it train beside a reference in float64 NumPy, and
# times those that passed. **No certificate, no time.** We look at the certificates first.

# %%
steps = lesson.time_net()
proofs = pd.DataFrame(one.as_dict() for one in lesson.run.certificates)
proofs["share"] = proofs["rel_error"] / proofs["limit"]
worst = proofs.groupby(["precision", "variant"])["share"].max().unstack("precision")
print(f"{proofs['passed'].sum()} of {len(proofs)} certificates passed. The largest share of the limit that was used:")
display(worst)

# %%
display(lesson.verdict("same_numbers"))

# %% [markdown]
# Would the certificate find a mistake that nobody told it of? The next cell makes the mistakes that people make, one
# after the other, mostly by changing a line of the source that runs. **Predict** for a few of them where the first
# difference will be.

# %%
eager = mutation.default_variants(registry.find_variants())[:1]
planted = pd.DataFrame(one.as_dict() for one in mutation.run(eager, ["two_layer"]))
planted["mistake"] = planted["fault"].map(lambda name: FAULTS[name].title)
print(f"{(planted['outcome'] == 'caught').sum()} of {len(planted)} were caught where they had been planted.")
display(planted[["fault", "mistake", "found"]])

# %% [markdown]
# **Exercise.** One of them is the lecture's second mistake. Where is it found, and where was the lecture's program
# refused? Then think of a mistake that the list does not have. Which quantity would differ first?

# %%
FAULT = "learning_rate"  # one of the names above
print(*planted.loc[planted["fault"] == FAULT, ["found", "detail"]].iloc[0], sep="\n")

# %% [markdown]
# ## 4. When Python runs

# %%
display(lesson.ask("python_runs"))
predicted["python_runs"] = "?"  # "holds", "only" or "not-reproduced"

# %%
runs = lesson.measure("python_runs")
ways = runs["framework"] + ", " + runs["way"]
print("How often Python ran the body of the function, call by call:")
display(pd.DataFrame(list(runs["python_ran"]), index=ways, columns=runs["calls"][0]))
display(lesson.verdict("python_runs"))

# %% [markdown]
# **Exercise.** Here is a tracer in a few lines. Python runs the body once, with a stand-in that writes down what is
# done to it; what was written is the graph. Call the graph again and see what is not printed. Then let the body draw a
# random number, and then ask `if x > 0`. What becomes of them?


# %%
class Recorded:
    def __init__(self, text):
        self.text = text

    def __mul__(self, number):
        return Recorded(f"{self.text} * {number}")


def body(x):
    print("Python runs the body")
    return x * 2 * 3


graph = eval("lambda x: " + body(Recorded("x")).text)
print(graph(1), graph(10))

# %% [markdown]
# ## 5. Paying up front

# %%
display(lesson.ask("amortisation"))
predicted["amortisation"] = "?"

# %% [markdown]
# The times were taken in section 3. First a step alone, once everything is warm, with its 95 % interval. The programs
# took turns, so that what slows the machine slows all of them.

# %%
names = steps.index + " (" + steps["mode"] + ")"
ends = [steps["step_s"] - steps["low_s"], steps["high_s"] - steps["step_s"]]
fig, ax = plt.subplots(figsize=(9, 0.6 + 0.4 * len(steps)), layout="constrained")
ax.barh(names, steps["step_s"], xerr=ends, color=steps["mode"].map(COLOURS))
ax.set(xlabel="seconds of a training step", xlim=0)
ax.invert_yaxis()
plt.show()

# %% [markdown]
# Then what it costs to get there. A new process builds the net, traces, compiles, and takes a first step; all later
# steps are warm. (The import comes before that; it is left out, as on the lesson's page.)

# %%
COLD = ["build_s", "trace_s", "compile_s", "first_step_s"]
display(steps[COLD])


def seconds_after(num_steps):
    """Return the seconds that each program has taken after 2 steps or more."""
    return steps[COLD].sum(axis=1) + steps["second_step_s"] + (num_steps - 2) * steps["step_s"]


# %%
taken = pd.DataFrame({num_steps: seconds_after(num_steps) for num_steps in np.geomspace(2, 1e5, 60)}).T
ax = taken.plot(loglog=True, figsize=(9, 4.5), xlabel="steps taken", ylabel="seconds in all")
ax.set_title("Where two lines cross, the later starter has caught up")
plt.show()

# %% [markdown]
# Now compute it. A program that starts later is behind by some seconds, and gains some in each step. N* is the step
# after which it is ahead.


# %%
def break_even(early, late):
    """Return N*, or infinity where the step of `late` is not faster."""
    behind_s = seconds_after(2)[late] - seconds_after(2)[early]
    gained_s = steps["step_s"][early] - steps["step_s"][late]
    if behind_s <= 0:
        return 1
    return 2 + np.ceil(behind_s / gained_s) if gained_s > 0 else np.inf


early = seconds_after(2).idxmin()
print(f"{early} is first to have taken two steps. N* of the others against it:")
display(pd.Series({late: break_even(early, late) for late in steps.index if late != early}, name="N*"))

# %% [markdown]
# The page takes pairs of one framework, eager against graph, since they share their kernels; and it takes the intervals
# into account.

# %%
display(lesson.verdict("amortisation"))

# %% [markdown]
# **Exercise.** Who is ahead after the 500 steps of your homework, and who after a night of training? Then count the
# import too (`import_s`): which answers change? What would a sweep of a hundred short trials pay?

# %%
NUM_STEPS = 500
display(seconds_after(NUM_STEPS).sort_values().rename("seconds"))

# %% [markdown]
# ## 6. The price of an operation

# %%
display(lesson.ask("per_op"))
predicted["per_op"] = "?"

# %%
chain = lesson.measure("per_op").explode(["num_elements", "seconds"], ignore_index=True)
chain["seconds"] = chain["seconds"].map(np.median)
chain["num_elements"] = chain["num_elements"].astype(float)

# %%
frameworks = chain.groupby("framework", sort=False)
fig, axes = plt.subplots(1, len(frameworks), figsize=(15, 4), sharey=True, squeeze=False, layout="constrained")
for ax, (framework, calls) in zip(axes.flat, frameworks, strict=True):
    ax.set_prop_cycle(linestyle=["-", "--", ":", "-."])
    for (way, mode), line in calls.groupby(["way", "mode"], sort=False):
        ax.loglog(line["num_elements"], line["seconds"], color=COLOURS[mode], label=way)
    ax.set(title=framework, xlabel="elements")
    ax.legend()
axes[0, 0].set_ylabel("seconds of one call")
plt.show()

# %%
display(lesson.verdict("per_op"))

# %% [markdown]
# **Exercise.** What does one of the twenty operations cost on a single element? From which size on does the work show,
# say, does a call take twice as long as on one element? Draw the time per element instead of the time per call.

# %%
smallest = chain[chain["num_elements"] == 1]
price = (smallest["seconds"] / smallest["num_ops"]).rename("seconds per operation")
display(smallest[["framework", "way"]].join(price).sort_values(price.name))

# %% [markdown]
# ## 7. Returned is not done

# %%
display(lesson.ask("asynchrony"))
predicted["asynchrony"] = "?"

# %%
calls = lesson.measure("asynchrony")
ways = calls["framework"] + ", " + calls["way"]
fig, ax = plt.subplots(figsize=(9, 4), layout="constrained")
ax.semilogx(calls["returned_seconds"].map(np.median), ways, "o", mfc="none", label="the call has returned")
ax.semilogx(calls["done_seconds"].map(np.median), ways, "o", label="the product is there")
ax.set(xlabel="seconds since the call")
ax.invert_yaxis()
ax.legend()
plt.show()
display(lesson.verdict("asynchrony"))

# %% [markdown]
# **Exercise.** A patient of the clinic for benchmarks: it runs, prints a number, and is wrong by far. What is the
# disease, and what is the remedy? When you have one, print `patient.diagnosis` and `patient.remedy`.

# %%
patient = clinic.cases()[0]  # there are more
print(patient.title, patient.symptom, patient.code, sep="\n\n")

# %% [markdown]
# ## 8. The other claims
#
# What the preset has left to measure; in the preset `lesson` it takes minutes. Predict each verdict before you scroll.

# %%
print(f"The preset {PRESET} has {len(lesson.others)} more experiments.")
for name in lesson.others:
    display(lesson.ask(name))
    lesson.measure(name)
    display(lesson.verdict(name))

# %% [markdown]
# **Exercise.** Choose an experiment of which you doubt the verdict, look at its samples, and draw them. What each
# column means stands in `harness/lesson/NAME.py`; the programs are in `impls/BACKEND/experiments/NAME.py`.

# %%
NAME = "asynchrony"
display(lesson.measure(NAME).head(3))

# %% [markdown]
# ## 9. All verdicts
#
# On this machine, with these versions and sizes. Each is computed from the figures by the rule that you have read.

# %%
verdicts = lesson.verdicts()
verdicts["predicted"] = pd.Series(predicted).reindex(verdicts.index, fill_value="")
display(verdicts[["claim", "verdict", "predicted"]])
num_right = (verdicts["outcome"] == verdicts["predicted"]).sum()
print(f"{num_right} of {len(predicted)} predictions came true.")

# %% [markdown]
# **Exercise**, for home. Run this notebook on another machine. Explain in half a page one verdict that is another one
# there, or why none is.
#
# The last cell writes the lesson's page of this class: all charts with their intervals, the graphs drawn, the clinic,
# and a glossary. It is one file that needs no network. Then it ends the processes that were left waiting.

# %%
print(lesson.save())
lesson.close()
