bx_unit_test(test_lane)
bx_unit_test(test_source)
bx_unit_test(test_drain)
