"""PyTorch: what can be run, and how it is named. Importing this package does not import torch."""

from impls.contract import Backend, Variant

BACKEND = Backend(
    title="PyTorch",
    variants=(
        Variant("torch-eager", mode="eager", requires=("torch",), headline=True),
        # The whole forward pass is compiled, and with it the backward pass (AOTAutograd, Inductor); the loss function
        # and the optimizer stay eager, as in the torch.compile tutorial.
        Variant(
            "torch-compile",
            mode="compiled",
            requires=("torch",),
            slow_models=("autoencoder", "unet"),
            # Compile in this process: a pool of helper processes would take the cores of whoever is measured next.
            # Compile cold: the default cache outlives the process.
            env=(("TORCHINDUCTOR_COMPILE_THREADS", "1"), ("TORCHINDUCTOR_CACHE_DIR", "{scratch}")),
        ),
        Variant("torch-channels-last", mode="eager", requires=("torch",), lane="tuned", models=("unet",)),
    ),
)
