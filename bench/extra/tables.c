/* tables - quicksort through a comparison pointer, a chained hash table and an unbalanced tree. */
#include "guest.h"

GUEST("tables", 40);

enum { ITEMS = 8192, BUCKETS = 2048 };
struct item {
    uint64_t key;
    struct item *next, *left, *right;
    uint32_t value;
};
static struct item items[ITEMS], *bucket[BUCKETS], *order[ITEMS], *root;
static uint64_t seed = 0xD1B54A32D192ED03ull;

static int by_key(const struct item *a, const struct item *b) { return a->key < b->key ? -1 : a->key > b->key; }
static int by_value(const struct item *a, const struct item *b)
{
    return a->value != b->value ? (a->value < b->value ? -1 : 1) : by_key(a, b);
}

static NOINLINE void quicksort(struct item **v, int lo, int hi, int (*cmp)(const struct item *, const struct item *))
{
    while (hi - lo > 8) {
        struct item *pivot = v[lo + (hi - lo) / 2], *t;
        int i = lo, j = hi;
        while (i <= j) {
            while (cmp(v[i], pivot) < 0) i++;
            while (cmp(v[j], pivot) > 0) j--;
            if (i <= j) t = v[i], v[i++] = v[j], v[j--] = t;
        }
        quicksort(v, lo, j, cmp);
        lo = i;
    }
    for (int i = lo + 1; i <= hi; i++) {
        struct item *x = v[i];
        int j = i;
        for (; j > lo && cmp(v[j - 1], x) > 0; j--) v[j] = v[j - 1];
        v[j] = x;
    }
}

static unsigned slot(uint64_t key) { return (unsigned)((key * 0xFF51AFD7ED558CCDull) >> 53); }

static NOINLINE struct item *find(uint64_t key)
{
    struct item *it = bucket[slot(key)];

    while (it && it->key != key) it = it->next;
    return it;
}

static NOINLINE void insert_tree(struct item *it)
{
    struct item **at = &root;

    while (*at) at = it->key < (*at)->key ? &(*at)->left : &(*at)->right;
    *at = it;
}

static NOINLINE uint64_t walk_tree(const struct item *it)
{
    if (!it) return 1;
    uint64_t l = walk_tree(it->left);
    return l * 3 + walk_tree(it->right) + (it->key & 0xFFFF);
}

uint64_t kernel_run(uint64_t n)
{
    static int (*volatile const compare[2])(const struct item *, const struct item *) = {by_key, by_value};
    uint64_t sum = 0;

    while (n--) {
        for (unsigned i = 0; i < BUCKETS; i++) bucket[i] = NULL;
        root = NULL;
        for (unsigned i = 0; i < ITEMS; i++) {
            struct item *it = &items[i];
            it->key = xorshift(&seed);
            it->value = (uint32_t)it->key % 1000;
            it->left = it->right = NULL;
            it->next = bucket[slot(it->key)];
            bucket[slot(it->key)] = it;
            order[i] = it;
            insert_tree(it);
        }
        quicksort(order, 0, ITEMS - 1, compare[n & 1]);
        for (unsigned i = 0; i < ITEMS; i++) {
            struct item *it = find(order[i]->key ^ (i % 7 == 0));
            sum = sum * 31 + (it ? it->value : i);
        }
        sum = mix64(sum, walk_tree(root));
    }
    return sum;
}
