#include "firmware/node/provisioning/service.h"

#include <gtest/gtest.h>

#include "firmware/kube/bootstrap/token.h"
#include "platform/http/in_process.h"
#include "tests/sim/etcd/cluster.h"

namespace tripod::node {
namespace {

using std::chrono::seconds;

constexpr std::string_view configuration =
    "[node]\nname = node0\nroles = etcd, apiserver\n"
    "ca-key-file = /pki/ca.key\netcd-ca-key-file = /pki/etcd-ca.key\n"
    "[etcd]\nname = node0\ninitial-cluster = node0=https://10.0.0.1:2380\n"
    "listen-client-urls = https://10.0.0.1:2379\nadvertise-client-urls = https://10.0.0.1:2379\n"
    "listen-peer-urls = https://10.0.0.1:2380\n"
    "initial-advertise-peer-urls = https://10.0.0.1:2380\n"
    "cert-file = /pki/server.crt\nkey-file = /pki/server.key\ntrusted-ca-file = /pki/etcd-ca.crt\n"
    "peer-cert-file = /pki/peer.crt\npeer-key-file = /pki/peer.key\n"
    "peer-trusted-ca-file = /pki/etcd-ca.crt\n"
    "[apiserver]\nclient-ca-file = /pki/ca.crt\n"
    "tls-cert-file = /pki/apiserver.crt\ntls-private-key-file = /pki/apiserver.key\n";

/// On P-384, which no board makes.
constexpr std::string_view other_key =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MIGkAgEBBDCnbg6RWNaYH1WD5UwGyPkMFLRp7zldOtbqJQkWvWUyPafQjymo2nCD\n"
    "YeWClR+JO4+gBwYFK4EEACKhZANiAAR/U5OrC9R8daKmjyayJ2sNanlJGeojJqW9\n"
    "3j9Y7/MhP2V52B+159Fz+8le8EAjz7D11jp1Qw111TuzxfNy7kQK7Dtul5qjeGg2\n"
    "hWV/XCJvJbNbbguUhLTddC0++QjXetI=\n"
    "-----END EC PRIVATE KEY-----\n";

class Nobody final : public http::Handler {
 public:
  Task<void> handle(std::unique_ptr<http::Exchange> exchange) override {
    co_await http::send(*exchange, {.status = 404, .headers = {}}, share("{}"));
  }
};

/// Runs what it is given at once; `working` meanwhile.
class WatchedLane final : public os::Lane {
 public:
  explicit WatchedLane(os::Executor& executor) : executor_(executor) {}
  void begin_now() override {}
  void run(os::Callback work, os::Callback done) override {
    working = true;
    work();
    working = false;
    ++jobs;
    executor_.post(std::move(done));
  }
  bool working = false;
  int jobs = 0;

 private:
  os::Executor& executor_;
};

/// Notes what was drawn outside the lane: signatures draw.
class WatchedEntropy final : public os::Entropy {
 public:
  WatchedEntropy(os::Entropy& inner, const WatchedLane& lane) : inner_(inner), lane_(lane) {}
  void fill(std::span<std::byte> out) override {
    if (!lane_.working) ++drawn_outside;
    inner_.fill(out);
  }
  int drawn_outside = 0;

 private:
  os::Entropy& inner_;
  const WatchedLane& lane_;
};

/// The service of node0, beside node1 and node2: whole members on simulated boards.
class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    cluster_.leader();
    cluster_.run_for(seconds(10));  // connections count as healthy
    make_files();
    auto config = load_config(configuration, "t.ini", {});
    CHECK(config.has_value(), config ? "" : config.error().message);
    config_ = std::move(*config);
    auto authorities = Authorities::load(config_, world());
    CHECK(authorities.has_value(), authorities ? "" : authorities.error().message);
    authorities_ = std::move(*authorities);
    serve(&cluster_.member(0));
  }
  void serve(etcd::Member* member) {
    service_.emplace(config_, authorities_, member, api_, watched());
  }

  os::World watched() {
    const os::World board = world();
    return {board.executor, board.clock, board.network, board.storage, board.storage_lane,
            board.log_lane, lane_,       entropy_,      board.board,   board.log};
  }
  os::World world() { return cluster_.board(0).world(); }

  void put(const std::string& path, std::string_view text) {
    auto kept = world().storage.replace_file(path, text, 0600);
    CHECK(kept.has_value(), kept ? "" : kept.error().message);
  }
  void make_files() {
    const WallTime now = world().clock.wall_now();
    CHECK(world().storage.make_directories("/pki", 0700).has_value());
    for (const std::string name : {"ca", "etcd-ca"}) {
      auto authority = pki::Authority::create(name, std::chrono::days(3650), now, world().entropy);
      put("/pki/" + name + ".crt", authority->pair().certificate_pem);
      put("/pki/" + name + ".key", authority->pair().key_pem);
      if (name != "ca") continue;
      auto own = authority->issue({.common_name = "kube-apiserver",
                                   .names = {"kubernetes.default.svc", "10.96.0.1", "node0",
                                             "10.0.0.1", "node1", "10.0.0.2"},
                                   .server = true},
                                  now, world().entropy);
      put("/pki/apiserver.crt", own->certificate_pem);
    }
  }

  struct Who {
    std::string user;
    std::vector<std::string> groups;
  };
  static Who board(std::string_view name) {
    return {std::string(kube::board_user_prefix) + std::string(name),
            {std::string(kube::boards_group)}};
  }
  static Who token() {
    return {"system:bootstrap:abcdef", {std::string(kube::boards_bootstrap_group)}};
  }
  static Who admin() { return {"kubernetes-admin", {"system:masters"}}; }

  apiserver::Extension::Answer ask(const Who& who, std::string method, const std::string& path,
                                   json::Value body = {}) {
    return cluster_.wait(service_->answer({.method = std::move(method),
                                           .path = "/tripod/v1/boards/" + path,
                                           .user = who.user,
                                           .groups = who.groups,
                                           .body = body.is_null() ? "" : json::serialize(body)}));
  }
  apiserver::Extension::Answer add(const Who& who, const std::string& name, std::size_t node) {
    json::Array urls{json::String(cluster_.peer_url(node))};
    return ask(who, "POST", name + "/member", json::Object{{"peerURLs", std::move(urls)}});
  }
  json::Value wanted(std::vector<std::string> names, std::vector<std::string> uses) {
    json::Array listed;
    for (const std::string& name : names) listed.emplace_back(json::String(name));
    json::Object requests;
    for (const std::string& use : uses) {
      requests[use] =
          json::String(*pki::make_request(*pki::make_key(world().entropy), "x", world().entropy));
    }
    return json::Object{{"names", std::move(listed)}, {"requests", std::move(requests)}};
  }
  apiserver::Extension::Answer sign(const Who& who, const std::string& name,
                                    std::vector<std::string> names = {},
                                    std::vector<std::string> uses = {"etcd-peer"}) {
    return ask(who, "POST", name + "/certificates", wanted(std::move(names), std::move(uses)));
  }
  static std::vector<std::string> names_in(const apiserver::Extension::Answer& answer,
                                           std::string_view use) {
    auto facts = pki::describe(std::string(json::get_string(answer.document, "certificates", use)));
    return facts ? facts->names : std::vector<std::string>{facts.error().message};
  }
  static std::string message(const apiserver::Extension::Answer& answer) {
    return std::string(json::get_string(answer.document, "message"));
  }
  std::size_t members() {
    auto listed = cluster_.wait(cluster_.member(0).member_list({.linearizable = true}));
    return listed ? listed->members.size() : 0;
  }
  /// One that neither serves here nor leads.
  std::size_t spare() { return cluster_.leader() == 1 ? 2 : 1; }

  etcd::SimCluster cluster_{5};
  WatchedLane lane_{cluster_.board(0).queue()};
  WatchedEntropy entropy_{cluster_.board(0).entropy(), lane_};
  Nobody nobody_;
  http::InProcessTransport transport_{cluster_.board(0).queue(), nobody_, "node0", {}};
  kube::Client api_{transport_, cluster_.board(0).clock(), {.may_write = {}}};
  Config config_;
  Authorities authorities_;
  std::optional<ProvisioningService> service_;
};

TEST_F(ServiceTest, a_token_brings_in_who_is_no_member) {
  EXPECT_EQ(sign(token(), "node3").status, 200);
  const std::size_t node = cluster_.add_board();
  for (int again = 0; again < 2; ++again) {
    auto added = add(token(), "node3", node);
    ASSERT_EQ(added.status, 200) << message(added);
    EXPECT_TRUE(
        json::get_string(added.document, "initialCluster").contains("node3=https://10.0.0.4:2380"));
    EXPECT_EQ(members(), 4U);
    EXPECT_EQ(sign(token(), "node3").status, 200) << "its place is not taken yet";
  }
  EXPECT_EQ(sign(token(), "node1").status, 409);
  EXPECT_EQ(add(token(), "node1", node).status, 409);
}

TEST_F(ServiceTest, a_board_asks_by_its_own_certificate_while_it_is_a_member) {
  const std::size_t node = spare();
  const std::string name = std::format("node{}", node);
  auto renewed = sign(board(name), name);
  EXPECT_EQ(renewed.status, 200) << message(renewed);
  auto removed = ask(admin(), "DELETE", name);
  ASSERT_EQ(removed.status, 200) << message(removed);
  EXPECT_EQ(members(), 2U);
  for (const auto& answer : {sign(board(name), name), add(board(name), name, node)}) {
    EXPECT_EQ(answer.status, 403);
    EXPECT_TRUE(message(answer).contains("is no member of the cluster")) << message(answer);
    EXPECT_TRUE(message(answer).contains("a new token")) << message(answer);
  }
  EXPECT_EQ(members(), 2U);
  EXPECT_EQ(sign(token(), name).status, 200) << "a new token is what brings it back";
  EXPECT_EQ(add(token(), name, node).status, 200);
}

TEST_F(ServiceTest, a_place_that_is_not_taken_yet_makes_no_member) {
  const std::size_t node = cluster_.add_board();
  ASSERT_EQ(add(token(), "node3", node).status, 200);
  EXPECT_EQ(sign(board("node3"), "node3").status, 403);
  EXPECT_EQ(add(board("node3"), "node3", node).status, 403);
}

TEST_F(ServiceTest, with_an_external_etcd_boards_renew_and_tokens_bring_in_none) {
  serve(nullptr);
  auto renewed = sign(board("node7"), "node7");
  EXPECT_EQ(renewed.status, 200) << message(renewed);
  EXPECT_EQ(sign(token(), "node8").status, 501);
  EXPECT_EQ(add(board("node7"), "node7", 1).status, 501);
}

TEST_F(ServiceTest, a_token_gets_no_names_of_others) {
  for (const std::string name : {"node1", "NODE1", "10.0.0.2", "::ffff:10.0.0.2", "kubernetes",
                                 "kubernetes.default.svc.", "10.96.0.10"}) {
    auto refused = sign(token(), "node3", {"node3", "10.0.0.4", name});
    EXPECT_EQ(refused.status, 403) << name;
    EXPECT_TRUE(message(refused).contains(std::format("\"{}\" is a name or an address of", name)))
        << message(refused);
  }
  for (const std::string name : {"kubernetes", "Node1", "10.0.0.2"}) {
    EXPECT_EQ(sign(token(), name).status, 403) << "certificates are made out to " << name;
  }
  auto own = sign(token(), "node3", {"node3", "localhost", "127.0.0.1", "10.0.0.4"});
  ASSERT_EQ(own.status, 200) << message(own);
  EXPECT_EQ(names_in(own, "etcd-peer"),
            (std::vector<std::string>{"node3", "localhost", "127.0.0.1", "10.0.0.4"}));
}

TEST_F(ServiceTest, an_api_server_has_the_names_of_the_one_that_signs) {
  auto made = sign(token(), "node3", {"node3", "10.0.0.4"}, {"apiserver", "etcd-server"});
  ASSERT_EQ(made.status, 200) << message(made);
  EXPECT_EQ(names_in(made, "apiserver"),
            (std::vector<std::string>{"node3", "10.0.0.4", "kubernetes.default.svc", "10.96.0.1",
                                      "node0", "10.0.0.1", "node1", "10.0.0.2"}));
  EXPECT_EQ(names_in(made, "etcd-server"), (std::vector<std::string>{"node3", "10.0.0.4"}));
}

TEST_F(ServiceTest, a_renewal_leaves_names_of_others_out) {
  auto renewed = sign(board("node1"), "node1",
                      {"node1", "10.0.0.2", "api.lan", "kubernetes", "10.96.0.1", "node2"},
                      {"apiserver", "etcd-peer"});
  ASSERT_EQ(renewed.status, 200) << message(renewed);
  EXPECT_EQ(names_in(renewed, "etcd-peer"),
            (std::vector<std::string>{"node1", "10.0.0.2", "api.lan"}));
  EXPECT_EQ(names_in(renewed, "apiserver"),
            (std::vector<std::string>{"node1", "10.0.0.2", "api.lan", "kubernetes.default.svc",
                                      "10.96.0.1", "node0", "10.0.0.1"}));
}

TEST_F(ServiceTest, signs_beside_the_loop) {
  auto made = sign(token(), "node3", {}, {"apiserver", "board", "etcd-peer"});
  ASSERT_EQ(made.status, 200) << message(made);
  EXPECT_EQ(lane_.jobs, 1);
  EXPECT_EQ(entropy_.drawn_outside, 0);
}

TEST_F(ServiceTest, takes_requests_for_keys_of_the_kind_that_boards_make) {
  json::Value body = wanted({}, {});
  json::set(
      body, {"requests", "board"},
      json::Value(json::String(*pki::make_request(std::string(other_key), "x", world().entropy))));
  auto refused = ask(token(), "POST", "node3/certificates", body);
  EXPECT_EQ(refused.status, 400);
  EXPECT_TRUE(message(refused).contains("requests: board: ")) << message(refused);
  EXPECT_TRUE(message(refused).contains("384 bits): expected an elliptic-curve key on P-256"))
      << message(refused);
  EXPECT_EQ(lane_.jobs, 1) << "not even reading it is the loop's work";
  json::set(body, {"requests", "board"}, json::Value(json::String(9000, 'x')));
  refused = ask(token(), "POST", "node3/certificates", body);
  EXPECT_TRUE(message(refused).contains("at most 8192 characters")) << message(refused);
  EXPECT_EQ(lane_.jobs, 1);
}

}  // namespace
}  // namespace tripod::node
