#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "platform/boards/supervise/backoff.h"
#include "platform/boards/supervise/child.h"
#include "platform/boards/supervise/heartbeat.h"
#include "platform/boards/supervise/watchdog.h"
#include "platform/boards/system/machine_state.h"
#include "platform/linux/loop.h"

namespace tripod::boards {
namespace {

using namespace std::chrono_literals;

MonotonicTime at(Duration time) {
  return MonotonicTime(time);
}

TEST(Backoff, waits_longer_each_time_and_forgives) {
  Backoff backoff;
  EXPECT_EQ(backoff.next(1s), 0s);
  EXPECT_EQ(backoff.next(1s), 1s);
  EXPECT_EQ(backoff.next(1s), 2s);
  EXPECT_EQ(backoff.next(1s), 4s);
  for (int i = 0; i < 20; ++i) backoff.next(1s);
  EXPECT_EQ(backoff.next(1s), 60s);
  EXPECT_EQ(backoff.next(10min), 0s) << "it lived long";
  EXPECT_EQ(backoff.failures(), 1);
}

TEST(Heartbeat, survives_its_line) {
  for (Health health : {Health::starting, Health::ready, Health::waiting, Health::sick}) {
    const Heartbeat sent{health, "a text: with words"};
    std::string line = encode_heartbeat(sent);
    ASSERT_TRUE(line.ends_with('\n'));
    line.pop_back();
    EXPECT_EQ(decode_heartbeat(line), sent);
  }
  EXPECT_EQ(encode_heartbeat({Health::ready, "two\nlines"}), "ready two lines\n");
  EXPECT_LE(encode_heartbeat({Health::ready, std::string(5000, 'x')}).size(), heartbeat_bytes_max);
  EXPECT_FALSE(decode_heartbeat("well, hello"));
  EXPECT_FALSE(decode_heartbeat("ready"));
}

TEST(Watchdog, a_hung_loop_reboots_and_a_slow_start_does_not) {
  ServerState state{.running = true, .serving = true, .last_sign = at(100s)};
  EXPECT_FALSE(reason_to_reboot(state, {}, at(129s)));
  auto reason = reason_to_reboot(state, {}, at(131s));
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, "the server's loop has hung for 31 s");
  state.serving = false;
  EXPECT_FALSE(reason_to_reboot(state, {}, at(131s))) << "it reads its log";
  EXPECT_TRUE(reason_to_reboot(state, {}, at(401s)));
}

TEST(Watchdog, only_what_a_reboot_may_help_reboots) {
  ServerState state{
      .running = true, .serving = true, .last_sign = at(1000s), .sick_since = at(500s)};
  EXPECT_FALSE(reason_to_reboot(state, {}, at(1001s)));
  state.sick_since = at(300s);
  EXPECT_TRUE(reason_to_reboot(state, {}, at(1001s)));
  state = {.running = false, .last_sign = at(0s), .crashes = 19};
  EXPECT_FALSE(reason_to_reboot(state, {}, at(1001s))) << "it waits to be started again";
  state.crashes = 20;
  EXPECT_TRUE(reason_to_reboot(state, {}, at(1001s)));
}

/// Runs /bin/sh as the child and collects what it says.
struct Ran {
  std::string output;
  std::string heartbeats;
  ChildEnd end;
};

Ran run_shell(std::string script) {
  Ran ran;
  auto child = start_child({.program = "/bin/sh", .arguments = {"-c", std::move(script)}});
  EXPECT_TRUE(child) << child.error().message;
  for (bool more = true; more;) {
    more = false;
    for (auto [pipe, text] :
         {std::pair(&child->output, &ran.output), std::pair(&child->heartbeat, &ran.heartbeats)}) {
      auto bytes = read_available(pipe->get());
      if (!bytes) continue;
      *text += *bytes;
      more = true;
    }
  }
  std::vector<ChildEnd> ends;
  while (ends.empty()) ends = reap_children();
  ran.end = ends.front();
  EXPECT_EQ(ran.end.pid, child->pid);
  return ran;
}

TEST(Child, speaks_on_two_pipes_and_tells_how_it_ended) {
  Ran ran = run_shell("echo out; echo err >&2; echo ready fine >&3; exit 7");
  EXPECT_EQ(ran.output, "out\nerr\n");
  EXPECT_EQ(ran.heartbeats, "ready fine\n");
  EXPECT_EQ(ran.end.exit_code, 7);
  EXPECT_EQ(ran.end.text, "exit code 7");
}

TEST(Child, a_signal_has_a_name) {
  Ran ran = run_shell("kill -SEGV $$");
  EXPECT_EQ(ran.end.signal, SIGSEGV);
  EXPECT_EQ(ran.end.text, "signal 11 (Segmentation fault)");
}

TEST(Child, goes_first_when_memory_runs_out) {
  EXPECT_EQ(run_shell("cat /proc/self/oom_score_adj").output, "900\n");
}

TEST(Child, one_that_told_why_is_no_crash) {
  EXPECT_TRUE(ended_with_reason(run_shell("exit 1").end)) << "a wrong configuration";
  EXPECT_TRUE(ended_with_reason(run_shell("exit 65").end)) << "lost data";
  EXPECT_FALSE(ended_with_reason(run_shell("exit 70").end)) << "a write that failed";
  EXPECT_FALSE(ended_with_reason(run_shell("exit 0").end));
  EXPECT_FALSE(ended_with_reason(run_shell("kill -ABRT $$").end));
}

TEST(Child, one_that_cannot_be_started_ends) {
  auto child = start_child({.program = "/nonexistent", .arguments = {}});
  ASSERT_TRUE(child);
  std::vector<ChildEnd> ends;
  while (ends.empty()) ends = reap_children();
  EXPECT_EQ(ends.front().exit_code, 127);
}

TEST(KernelArgument, is_found_by_its_whole_name) {
  EXPECT_EQ(argument_in("console=ttyAMA0 xtripod.board=no tripod.board=qemu-virt quiet\n",
                        "tripod.board"),
            "qemu-virt");
  EXPECT_EQ(argument_in("tripod.board=pi", "tripod.board"), "pi");
  EXPECT_EQ(argument_in("tripod.boards=pi quiet", "tripod.board"), "");
}

TEST(MachineState, reads_the_kernel_s_sizes) {
  constexpr std::string_view text =
      "MemTotal:         245760 kB\nSwapFree:\t0 kB\nMemAvailable:\t 180000 kB";
  EXPECT_EQ(kib_in(text, "MemTotal:"), 245'760U);
  EXPECT_EQ(kib_in(text, "MemAvailable:"), 180'000U);
  EXPECT_EQ(kib_in(text, "Total:"), 0U);
  EXPECT_EQ(kib_in("", "MemTotal:"), 0U);
}

TEST(Loop, tells_when_a_descriptor_is_readable) {
  linux_os::Loop loop;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  std::string seen;
  std::unique_ptr<os::Operation> watch;
  watch = loop.on_readable(reader.get(), [&] {
    std::array<char, 16> bytes{};
    ssize_t size = ::read(reader.get(), bytes.data(), bytes.size());
    if (size > 0) {
      seen.append(bytes.data(), static_cast<std::size_t>(size));
      writer.reset();  // then the end is told as well
      return;
    }
    seen += "|end";
    watch.reset();
    loop.stop();
  });
  ASSERT_EQ(::write(writer.get(), "word", 4), 4);
  loop.run();
  EXPECT_EQ(seen, "word|end");
}

}  // namespace
}  // namespace tripod::boards
