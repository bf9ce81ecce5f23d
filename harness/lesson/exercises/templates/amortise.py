"""Break even before the hundredth call.

`final_state` compiles a loop of 60 steps. Compiled it is fast, but compiling takes so long that the loop without `jit`
is ahead for hundreds of calls. Change the file so that the compiled function has caught up after fewer than 100 calls.
"""

import jax
import jax.numpy as jnp


@jax.jit
def final_state(w, xs):
    """Return the last h of h = tanh(h·w + x), over the rows x of xs (T, H), from h = 0."""
    h = jnp.zeros(w.shape[0])
    for x in xs:
        h = jnp.tanh(h @ w + x)
    return h
