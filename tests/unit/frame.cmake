bx_unit_test(test_format)
bx_unit_test(test_framer)
bx_unit_test(test_sniff)
