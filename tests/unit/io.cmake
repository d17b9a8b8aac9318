bx_unit_test(test_lane)
