// embed.cpp - the same header from C++: a machine that is thrown away unused.
#include <ringside/ringside.h>

#include <cstdio>
#include <memory>

int main()
{
    rs_config config;
    rs_machine *raw = nullptr;

    rs_config_init(&config);
    if (rs_create(&config, &raw, nullptr, 0) != RS_OK) return 1;
    std::unique_ptr<rs_machine, decltype(&rs_destroy)> m(raw, rs_destroy);
    std::printf("ringside %s, %llu Hz\n", rs_version(), static_cast<unsigned long long>(rs_hz(m.get())));
    return 0;
}
