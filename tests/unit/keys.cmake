bx_unit_test(test_route)
bx_unit_test(test_keyring)
bx_unit_test(test_secret_file)
bx_unit_test(test_bech32)
