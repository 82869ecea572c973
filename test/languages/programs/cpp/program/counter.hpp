#pragma once
#include <algorithm>
#include <concepts>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

template <std::totally_ordered T> class Counter {
  public:
    void add(const T &value, long times = 1) { counts_[value] += times; }

    Counter &operator+=(const Counter &other) {
        for (const auto &[value, times] : other.counts_) add(value, times);
        return *this;
    }

    long total() const {
        return std::accumulate(counts_.begin(), counts_.end(), 0L, [](long sum, const auto &pair) { return sum + pair.second; });
    }

    std::vector<std::pair<T, long>> most_common(std::size_t most) const {
        std::vector<std::pair<T, long>> pairs(counts_.begin(), counts_.end());
        std::ranges::stable_sort(pairs, [](const auto &a, const auto &b) { return a.second > b.second; });
        pairs.resize(std::min(most, pairs.size()));
        return pairs;
    }

  private:
    std::map<T, long> counts_;
};

Counter<std::string> count_words(const std::string &text);
