bx_unit_test(test_cpu)
bx_unit_test(test_box)
bx_unit_test(test_box_bounds)
bx_unit_test(test_nonce)

# These include a kernel to call what it does not export.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  bx_unit_test(test_box_carry_avx2)
  target_compile_options(test_box_carry_avx2 PRIVATE -mavx2 -mbmi2)
  bx_unit_test(test_box_carry_avx512)
  target_compile_options(test_box_carry_avx512 PRIVATE -mavx2 -mbmi2 -mavx512f -mavx512bw -mavx512vl
    -mavx512vbmi2 -mavx512ifma)
endif()
