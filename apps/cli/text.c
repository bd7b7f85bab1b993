/*
 * text.c - numbers, sizes, times and spelling, without locale.
 */
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const char *text_grouped(uint64_t value, char out[28])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *to = out;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

/* ---- numbers ------------------------------------------------------------------------------------- */

static int digit_of(char ch)
{
    if (ch >= '0' && ch <= '9') return ch - '0';
    if (ch >= 'a' && ch <= 'f') return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F') return ch - 'A' + 10;
    return 99;
}

/* Reads digits; *end is the first character that is none. */
static bool number_prefix(const char *text, uint64_t *value, const char **end)
{
    unsigned radix = 10, digits = 0;
    uint64_t sum = 0;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        radix = 16;
        text += 2;
    }
    for (;; text++) {
        if ((*text == '_' || *text == ',') && digits) continue;
        unsigned digit = (unsigned)digit_of(*text);

        if (digit >= radix) break;
        if (sum > (UINT64_MAX - digit) / radix) return false;
        sum = sum * radix + digit;
        digits++;
    }
    *value = sum;
    *end = text;
    return digits > 0;
}

bool text_number(const char *text, uint64_t *value)
{
    const char *end;

    return number_prefix(text, value, &end) && *end == '\0';
}

bool text_size(const char *text, uint64_t *value)
{
    static const char units[] = "KMGT";
    const char *end, *unit;

    if (!number_prefix(text, value, &end)) return false;
    if (*end == '\0') return true;
    unit = strchr(units, toupper((unsigned char)*end));
    if (!unit) return false;
    end++;
    if (*end == 'i') end++;
    if (*end == 'B') end++;
    unsigned shift = 10 * (unsigned)(unit - units + 1);

    if (*end != '\0' || *value > UINT64_MAX >> shift) return false;
    *value <<= shift;
    return true;
}

/* ---- times ----------------------------------------------------------------------------------------- */

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year; /* years begin in March: the leap day comes last */
    int64_t m = month <= 2 ? month + 9 : month - 3;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static bool date_real(int year, int month, int day)
{
    return year >= 1970 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 &&
           days_from_date(year, month, day) < days_from_date(month == 12 ? year + 1 : year, month % 12 + 1, 1);
}

bool text_time(const char *text, uint64_t *seconds)
{
    int year, month, day, hour = 0, minute = 0, second = 0, used = 0;

    if (text_number(text, seconds)) return true;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3) return false;
    text += used;
    if (*text == 'T' || *text == ' ') {
        if (sscanf(text + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &used) != 3) return false;
        text += 1 + used;
    }
    if (*text == 'Z') text++;
    if (*text != '\0' || !date_real(year, month, day)) return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    *seconds = (uint64_t)days_from_date(year, month, day) * 86400 + (uint64_t)(hour * 3600 + minute * 60 + second);
    return true;
}

/* ---- spelling ---------------------------------------------------------------------------------------- */

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

unsigned text_distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    unsigned row[3][LONGEST + 1];
    size_t n = strlen(a), m = strlen(b);

    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (size_t j = 0; j <= m; j++) row[0][j] = row[1][j] = row[2][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);

            best = least(best, least(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) best = least(best, before[j - 2] + 1);
            now[j] = best;
        }
    }
    return row[n % 3][m];
}
