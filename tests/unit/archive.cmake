bx_unit_test(test_archive_roundtrip)
bx_unit_test(test_archive_flips)
bx_unit_test(test_archive_kat)
bx_unit_test(test_archive_samples)
bx_unit_test(test_archive_order)
bx_unit_test(test_archive_head)
bx_unit_test(test_archive_block)
bx_unit_test(test_archive_index)
bx_unit_test(test_archive_resume)
bx_unit_test(test_archive_parts)
bx_unit_test(test_crc32c)
bx_unit_test(test_identity)
bx_fuzz_target(fuzz_header)
bx_fuzz_target(fuzz_block)
bx_fuzz_target(fuzz_index)
bx_fuzz_target(fuzz_file)

# The second reader, written from docs/format.md, against files that the first one made.
find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_FOUND)
  execute_process(COMMAND ${Python3_EXECUTABLE} -c "import pytest" RESULT_VARIABLE no_pytest
    OUTPUT_QUIET ERROR_QUIET)
  if(NOT no_pytest)
    set(samples ${CMAKE_CURRENT_BINARY_DIR}/archive_samples)
    file(MAKE_DIRECTORY ${samples})
    set_tests_properties(unit/test_archive_samples PROPERTIES
      ENVIRONMENT "BX_SAMPLES_OUT=${samples}" FIXTURES_SETUP archive_samples)
    add_test(NAME reader/second_reader
      COMMAND ${Python3_EXECUTABLE} -m pytest -q -p no:cacheprovider --noconftest ${PROJECT_SOURCE_DIR}/tests/reader)
    set_tests_properties(reader/second_reader PROPERTIES
      ENVIRONMENT "BX_SAMPLES=${samples};PYTHONDONTWRITEBYTECODE=1" FIXTURES_REQUIRED archive_samples)
  endif()
endif()
