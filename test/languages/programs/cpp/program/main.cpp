// Counts words of every paragraph in a thread of its own, and prints the most frequent.
#include <algorithm>
#include <future>
#include <iostream>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "counter.hpp"

namespace {
std::vector<std::string> paragraphs(std::istream &in) {
    std::vector<std::string> found(1);
    for (std::string line; std::getline(in, line);) {
        if (line.empty()) found.emplace_back();
        else found.back() += line + ' ';
    }
    return found;
}
} // namespace

int main() {
    std::vector<std::future<Counter<std::string>>> parts;
    for (auto &text : paragraphs(std::cin)) parts.push_back(std::async(std::launch::async, count_words, text));

    Counter<std::string> all;
    for (auto &part : parts) all += part.get();
    for (const auto &[word, count] : all.most_common(4)) std::cout << count << ' ' << word << '\n';
    std::cout << all.total() << " words, " << parts.size() << " paragraphs\n";
}
