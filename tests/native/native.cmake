# native.cmake - the processor that this runs on against Ringside, and the two engines against each
# other, as programs with a count of cases: quick ones in every run, long ones under label full.
add_executable(native_diff ${CMAKE_CURRENT_LIST_DIR}/native_diff.c ${CMAKE_CURRENT_LIST_DIR}/forms.c
  ${CMAKE_CURRENT_LIST_DIR}/cases.c ${CMAKE_CURRENT_LIST_DIR}/host.c ${CMAKE_CURRENT_LIST_DIR}/guest.c)
target_link_libraries(native_diff PRIVATE rs_flags ringside_static)
target_compile_definitions(native_diff PRIVATE _GNU_SOURCE)

add_executable(engine_diff ${CMAKE_CURRENT_LIST_DIR}/../diff/engine_diff.c)
target_link_libraries(engine_diff PRIVATE rs_flags ringside_static)

function(add_diff name label program)
  add_test(NAME ${name} COMMAND ${program} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS ${label} SKIP_RETURN_CODE 77 TIMEOUT 600)
endfunction()

add_diff(native_diff_quick quick native_diff --cases 4000)
add_diff(native_diff_seed2 full native_diff --seed 2 --cases 60000)
add_diff(native_diff_bits32 full native_diff --seed 3 --bits 32 --cases 30000)
add_diff(engine_diff_quick quick engine_diff 1 60 800)
add_diff(engine_diff_full full engine_diff 1000 1000)
