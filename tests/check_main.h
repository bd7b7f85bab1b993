/*
 * check_main.h - a test program: START_TEST blocks, then RUN_TESTS(suite, test, test, ...).
 * A test's name is a sentence. Tests run in one process, in the order given; with CK_FORK=yes each
 * in its own. Each is a test case of its own name: CK_RUN_CASE=NAME runs one, tcase_name() says which.
 */
#ifndef TESTS_CHECK_MAIN_H
#define TESTS_CHECK_MAIN_H

#include <check.h>
#include <stddef.h>
#include <stdlib.h>

static inline int run_tests(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < count; i++) {
        TCase *one = tcase_create(tests[i]->name);

        tcase_set_timeout(one, 60);
        tcase_add_test(one, tests[i]);
        suite_add_tcase(suite, one);
    }

    SRunner *runner = srunner_create(suite);

    if (!getenv("CK_FORK")) srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);

    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#define RUN_TESTS(suite, ...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return run_tests(suite, tests, sizeof tests / sizeof tests[0]);                            \
    }

#endif
