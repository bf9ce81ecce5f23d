"""PyTorch: what can be run, and how it is named. Importing this package does not import torch."""

from impls.contract import Backend, Variant

# Compile in this process: a pool of helper processes would take the cores of whoever is measured next. Compile cold:
# the default cache outlives the process.
_COLD = (("TORCHINDUCTOR_COMPILE_THREADS", "1"), ("TORCHINDUCTOR_CACHE_DIR", "{scratch}"))
_CACHED = (("TORCHINDUCTOR_CACHE_DIR", "{cache}"),)

_PRECISIONS = ("tf32", "bf16")

BACKEND = Backend(
    title="PyTorch",
    variants=(
        # Cold also here: the lesson's experiments compile in such a process.
        Variant("torch-eager", mode="eager", requires=("torch",), headline=True, env=_COLD, precisions=_PRECISIONS),
        # The whole forward pass is compiled, and with it the backward pass (AOTAutograd, Inductor); the loss function
        # and the optimizer stay eager, as in the torch.compile tutorial.
        Variant(
            "torch-compile",
            mode="compiled",
            requires=("torch",),
            slow_models=("autoencoder", "recurrent", "unet"),
            env=_COLD,
            cache_env=_CACHED,
            precisions=_PRECISIONS,
        ),
        # Differs from torch-eager by the layout of images and kernels alone.
        Variant(
            "torch-channels-last",
            mode="eager",
            requires=("torch",),
            lane="tuned",
            models=("unet",),
            env=_COLD,
            precisions=_PRECISIONS,
        ),
        # Steps compiled whole (`tuned.py`), the dense nets' several for each call; of the U-Net, which is channels-last
        # here too, what torch-compile compiles.
        Variant(
            "torch-tuned",
            mode="compiled",
            requires=("torch",),
            lane="tuned",
            slow_models=("two_layer", "autoencoder", "recurrent", "unet"),
            env=_COLD,
            cache_env=_CACHED,
            steps_per_call=(("two_layer", 10), ("autoencoder", 2)),
            precisions=_PRECISIONS,
        ),
        # torch-eager's kernels (of the U-Net, torch-channels-last's) recorded as a CUDA graph. The recurrent net asks
        # for each example's length, and so for the device, in every step.
        Variant(
            "torch-cuda-graph",
            mode="graph",
            requires=("torch",),
            lane="tuned",
            models=("two_layer", "autoencoder", "unet"),
            gpu_only=True,
            env=_COLD,
            precisions=_PRECISIONS,
        ),
        # What torch-tuned compiles, in the two modes of torch.compile that replay CUDA graphs.
        *(
            Variant(
                name,
                mode="compiled",
                requires=("torch",),
                lane="tuned",
                models=("two_layer", "autoencoder", "unet"),
                slow_models=("two_layer", "autoencoder", "unet"),
                gpu_only=True,
                env=_COLD,
                cache_env=_CACHED,
                precisions=_PRECISIONS,
            )
            for name in ("torch-reduce-overhead", "torch-max-autotune")
        ),
    ),
)
