# libcbor is only asked for its opinion.
pkg_check_modules(LIBCBOR REQUIRED IMPORTED_TARGET libcbor)

bx_unit_test(test_cbor)
bx_unit_test(test_cbor_differential LIBS PkgConfig::LIBCBOR)
bx_unit_test(test_inner)
bx_unit_test(test_json_codec)
bx_unit_test(test_json_differential)
bx_unit_test(test_msgpack)
bx_unit_test(test_msgpack_differential)
bx_unit_test(test_shape)

bx_fuzz_target(fuzz_inner)
bx_fuzz_target(fuzz_json_codec)

bx_fuzz_target(fuzz_msgpack)
bx_fuzz_target(fuzz_cbor)
