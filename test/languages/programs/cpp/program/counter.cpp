#include "counter.hpp"

#include <cctype>
#include <regex>

Counter<std::string> count_words(const std::string &text) {
    static const std::regex word{"[A-Za-z']+"};
    Counter<std::string> counter;
    for (std::sregex_iterator it{text.begin(), text.end(), word}, end; it != end; ++it) {
        std::string lower = it->str();
        std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
        counter.add(lower);
    }
    return counter;
}
