"""Kernels are counted in what XLA runs, and not in what it has fused."""

from impls import hlo

TEXT = """HloModule jit_net, is_scheduled=true

%fused_computation (param_0: f32[4,2]) -> (f32[4,2], f32[4]) {
  %param_0 = f32[4,2]{1,0} parameter(0)
  %tanh.1 = f32[4,2]{1,0} tanh(%param_0)
  ROOT %tuple.1 = (f32[4,2]{1,0}, f32[4]{0}) tuple(%tanh.1, %tanh.1)
}

ENTRY %main.5 (Arg_0.1: f32[4,2]) -> f32[4] {
  %Arg_0.1 = f32[4,2]{1,0} parameter(0)
  %constant.1 = f32[] constant(0.5)
  %fusion = (f32[4,2]{1,0}, f32[4]{0}) fusion(%Arg_0.1), kind=kLoop, calls=%fused_computation
  %gte = f32[4,2]{1,0} get-tuple-element(%fusion), index=0
  %custom-call.2 = f32[4]{0} custom-call(%gte), custom_call_target="__dot"
  ROOT %bitcast = f32[4]{0} bitcast(%custom-call.2)
}
"""


def test_each_fusion_is_one_kernel_and_names_of_memory_are_none() -> None:
    assert hlo.num_kernels(TEXT) == 2
