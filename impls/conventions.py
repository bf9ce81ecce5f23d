"""What frameworks take for granted, each in its own way: the subjects of the table of conventions.

`read()` in `impls/<backend>/conventions.py` answers for its framework, from the installed version: a default is read
from the signature, a behaviour is observed on a small example. A subject that a framework does not have is left out.
"""

SUBJECTS: dict[str, str] = {
    "batch_norm.eps": "BatchNorm: default epsilon",
    "batch_norm.momentum": "BatchNorm: default momentum",
    "batch_norm.momentum_weighs": "BatchNorm: momentum is the weight of the old or of the new value",
    "batch_norm.running_variance": "BatchNorm: running variance, biased or corrected by n / (n − 1)",
    "layer_norm.eps": "LayerNorm: default epsilon",
    "adam.learning_rate": "Adam: default learning rate",
    "adam.eps": "Adam: default epsilon",
    "adam.eps_is_added": "Adam: epsilon added before or after the bias correction",
    "adamw.weight_decay": "AdamW: default weight decay",
    "rmsprop.rho": "RMSprop: default decay of the mean square",
    "rmsprop.eps": "RMSprop: default epsilon",
    "rmsprop.eps_is_added": "RMSprop: epsilon inside or outside the root",
    "momentum.velocity_holds": "SGD with momentum: velocity holds gradients, or gradients times the rate",
    "gelu.approximate": "GELU: tanh approximation by default",
    "leaky_relu.slope": "LeakyReLU: default slope",
    "dense.weight_shape": "Dense layer: shape of the weights",
    "conv.kernel_shape": "Convolution: order of the kernel's axes",
    "conv.padding": "Convolution: default padding",
    "conv.same_with_stride_2": "Convolution, SAME, stride 2, even size: padding before and after",
    "conv_transpose.is_gradient": "Transposed convolution: by default the gradient of the convolution",
    "image.layout": "Images: default order of axes",
    "mean_squared_error.reduction": "Mean squared error: default reduction",
    "binary_cross_entropy.takes": "Binary cross-entropy: logits or probabilities by default",
    "dropout.rate": "Dropout: default rate",
    "float64.stays": "A float64 array stays float64 by default",
    "float32_matmul": "float32 products: default precision setting",
    "tf32.matmul": "TF32 in matrix products by default",
    "tf32.conv": "TF32 in convolutions by default",
}
