// Many threads on one device, and a forked child of a process that used one.
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <queue>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tenon/memory.h>
#include <tenon/nn.h>
#include <tenon/ops.h>
#include <tenon/optim.h>

#include "tests/support/devices.h"

namespace tenon::test {
namespace {

constexpr int kThreads = 8;

class Threads : public testing::TestWithParam<std::string> {
 protected:
  Device on() const { return device(GetParam()); }
  TensorOptions here() const { return {.device = on()}; }

  /// Calls f(0) .. f(7), each on a thread of its own.
  template <class F>
  static void on_each(F&& f) {
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) threads.emplace_back([&f, t] { f(t); });
    for (std::thread& thread : threads) thread.join();
  }
};

// Row r of x·shift is row r of x, moved one column to the right, so each thread's 12 rounds are known.
TEST_P(Threads, ShareWhatTheyReadAndOwnWhatTheyWrite) {
  std::vector<float> values(16), moves(16);
  for (std::size_t i = 0; i < 4; ++i) {
    moves[i * 4 + (i + 1) % 4] = 1;
    for (std::size_t k = 0; k < 4; ++k) values[i * 4 + k] = static_cast<float>(10 * i + k);
  }
  const Tensor x = from_values<float>(values, {4, 4}, here());
  const Tensor shift = from_values<float>(moves, {4, 4}, here());
  constexpr std::size_t kRounds = 13;
  std::vector<std::vector<float>> results(kThreads);
  on_each([&](int t) {
    Tensor y = x;
    for (std::size_t round = 0; round < kRounds; ++round) {
      y = matmul(y, shift) + t;
      if (round % 3 == 0) y += x - x;
    }
    results[static_cast<std::size_t>(t)] = y.to_vector<float>();
  });
  for (std::size_t t = 0; t < kThreads; ++t) {
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t column = (i % 4 + 4 * kRounds - kRounds) % 4;
      EXPECT_EQ(results[t][i], values[i / 4 * 4 + column] + static_cast<float>(kRounds * t))
          << "thread " << t << ", element " << i;
    }
  }
  EXPECT_EQ(x.to_vector<float>(), values);
}

/// Tensors on their way from one thread to the next.
class Channel {
 public:
  void send(Tensor x) {
    const std::lock_guard lock(mutex_);
    queue_.push(std::move(x));
    filled_.notify_one();
  }
  Tensor receive() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [this] { return !queue_.empty(); });
    Tensor x = std::move(queue_.front());
    queue_.pop();
    return x;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::queue<Tensor> queue_;
};

// Each thread works in place on what the one before it has just been given to do.
TEST_P(Threads, HandTensorsOn) {
  constexpr int kTensors = 20;
  std::vector<Channel> channels(kThreads + 1);
  for (int i = 0; i < kTensors; ++i) channels[0].send(full({5}, i, {.dtype = f32, .device = on()}));
  on_each([&](int t) {
    const auto k = static_cast<std::size_t>(t);
    for (int i = 0; i < kTensors; ++i) {
      Tensor x = channels[k].receive();
      x *= 2;
      x -= t;
      channels[k + 1].send(t % 2 == 0 ? x : x + 0);
    }
  });
  for (int i = 0; i < kTensors; ++i) {
    float expected = static_cast<float>(i);
    for (int t = 0; t < kThreads; ++t) expected = 2 * expected - static_cast<float>(t);
    EXPECT_THAT(channels.back().receive().to_vector<float>(), testing::Each(expected));
  }
}

std::vector<float> losses_of_training(Device on) {
  random::manual_seed(9);
  const nn::Linear fc(4, 1, {.tensor = {.device = on}});
  const Tensor x = random::uniform({16, 4}, {}, {.device = on}), y = x.sum({1}, true);
  optim::Adam adam(fc.parameters(), {.lr = 0.1});
  std::vector<float> losses;
  for (int i = 0; i < 10; ++i) {
    adam.zero_grad();
    const Tensor loss = nn::MSELoss()(fc(x), y);
    loss.backward();
    adam.step();
    losses.push_back(loss.item<float>());
  }
  return losses;
}

TEST_P(Threads, TrainSideBySide) {
  const std::vector<float> alone = losses_of_training(on());
  EXPECT_LT(alone.back(), alone.front());
  std::vector<std::vector<float>> all(kThreads);
  on_each([&](int t) { all[static_cast<std::size_t>(t)] = losses_of_training(on()); });
  EXPECT_THAT(all, testing::Each(alone));
}

TEST_P(Threads, GoBackwardIntoOneLeaf) {
  Tensor w = ones({6}, here());
  w.set_requires_grad();
  on_each([&](int t) { (w * (t + 1)).sum().backward(); });
  EXPECT_THAT(w.grad().to_vector<float>(), testing::Each(kThreads * (kThreads + 1) / 2));
}

TEST_P(Threads, ComeAndGo) {
  Tensor x = zeros({3}, here());
  for (int i = 0; i < 60; ++i) std::thread([&] { x += 1; }).join();
  EXPECT_THAT(x.to_vector<float>(), testing::Each(60));
}

/// What a call in a forked child ends with: the error's text, or "nothing was thrown".
template <class F>
std::string in_fork(F&& call) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a child that waits for a thread it does not have would wait forever
    std::string text = "nothing was thrown";
    try {
      call();
    } catch (const Error& error) {
      text = error.what();
    }
    const bool sent = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(sent ? 0 : 1);
  }
  close(ends[1]);
  std::string text(1000, '\0');
  const ssize_t count = read(ends[0], text.data(), text.size());
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return status == 0 ? text : text + " status " + std::to_string(status);
}

TEST_P(Threads, AForkedChildIsToldToSpawn) {
  Tensor x = ones({3}, here());
  const Tensor y = x + 1;
  const std::string told =
      "[tenon] this process was forked from one that used Tenon; start it with spawn (exec) instead";
  EXPECT_EQ(in_fork([&] { ones({3}, here()); }), told);
  EXPECT_EQ(in_fork([&] { x + y; }), told);
  EXPECT_EQ(in_fork([&] { x.fill_(2); }), told);
  EXPECT_EQ(in_fork([&] { y.to_vector<float>(); }), told);
  EXPECT_EQ(in_fork([] { shutdown(); }), told);
  x += 1;
  EXPECT_EQ(in_fork([&] { on().synchronize(); }), told);
  EXPECT_EQ(in_fork([&] { empty_cache(on()); }), told);
  EXPECT_THAT((x + y).to_vector<float>(), testing::Each(4)) << "the parent goes on";
}

INSTANTIATE_TEST_SUITE_P(Devices, Threads, testing::ValuesIn(test_devices()), device_test_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Threads);

}  // namespace
}  // namespace tenon::test
