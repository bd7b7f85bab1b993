# native.cmake - the processor that this runs on against Ringside: a few cases in every run, many under
# label full. And the catalogue of gaps, which must be what decoding the opcode maps finds.
add_executable(native_diff ${CMAKE_CURRENT_LIST_DIR}/native_diff.c ${CMAKE_CURRENT_LIST_DIR}/forms.c
  ${CMAKE_CURRENT_LIST_DIR}/cases.c ${CMAKE_CURRENT_LIST_DIR}/host.c ${CMAKE_CURRENT_LIST_DIR}/guest.c)
target_link_libraries(native_diff PRIVATE rs_flags ringside_static)
target_compile_definitions(native_diff PRIVATE _GNU_SOURCE)

function(add_compared name label program)
  add_test(NAME ${name} COMMAND ${program} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

add_compared(native_diff_quick quick native_diff --cases 4000)
add_compared(native_diff_seed2 full native_diff --seed 2 --cases 60000)
add_compared(native_diff_bits32 full native_diff --seed 3 --bits 32 --cases 30000)

add_executable(gen_gaps ${PROJECT_SOURCE_DIR}/tools/gen_gaps.c)
target_link_libraries(gen_gaps PRIVATE rs_flags Zydis)
add_compared(gaps_fresh quick gen_gaps ${PROJECT_SOURCE_DIR}/arch/gaps.def)
