#pragma once
// An API server over an etcd in memory, and clients of any identity in the same process.

#include <gtest/gtest.h>

#include "firmware/apiserver/server.h"
#include "platform/http/in_process.h"
#include "platform/json/json.h"
#include "tests/unit/firmware/apiserver/memory_etcd.h"
#include "tests/unit/firmware/support/test_world.h"

namespace tripod::test {

struct Answer {
  int code = 0;
  http::Headers headers;
  Bytes text;
  json::Value body;

  std::string_view message() const { return json::get_string(body, "message"); }
  std::string_view reason() const { return json::get_string(body, "reason"); }
  std::string_view version() const { return json::get_string(body, "metadata", "resourceVersion"); }
};

/// A watch under way: the events it has received.
struct Watching {
  std::unique_ptr<http::Call> call;
  std::vector<json::Value> events;
  int code = 0;
  bool ended = false;
  Bytes rest;

  std::vector<std::string> types() const {
    std::vector<std::string> names;
    for (const json::Value& event : events) names.emplace_back(json::get_string(event, "type"));
    return names;
  }
};

struct Request {
  std::string method = "GET";
  std::string path;
  std::string body;
  std::string content_type = "application/json";
  std::string accept = "application/json";
  std::string as = {};     // user to impersonate
  std::string token = {};  // bearer
};

class ApiServerTest : public testing::Test {
 protected:
  static apiserver::Options default_options() {
    apiserver::Options options;
    options.advertise_address = "127.0.0.11";
    return options;
  }
  explicit ApiServerTest(apiserver::Options options = default_options())
      : world_(loop_, "board-1"),
        etcd_(loop_),
        server_(std::move(options), etcd_, world_.world, metrics_),
        transport_(loop_, server_, "admin", {"system:masters"}),
        scope_(loop_) {}

  void SetUp() override {
    run(start(&server_));
    ASSERT_TRUE(loop_.run_until([&] { return server_.ready(); }, std::chrono::seconds(5)));
  }
  void TearDown() override {
    scope_.cancel();
    loop_.run_for(std::chrono::milliseconds(1));
    watches_.clear();
    run(transport_.drain());
    run(server_.stop());
    loop_.run_for(std::chrono::milliseconds(1));
  }

  Answer send(Request request) { return send_as(transport_, std::move(request)); }
  Answer send_as(http::Transport& transport, Request request) {
    std::optional<Answer> answer;
    scope_.spawn(exchange(&transport, std::move(request), &answer));
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, std::chrono::seconds(90)));
    return answer ? std::move(*answer) : Answer();
  }
  Answer get(std::string path) { return send({.path = std::move(path)}); }
  Answer post(std::string path, std::string body) {
    return send({.method = "POST", .path = std::move(path), .body = std::move(body)});
  }
  Answer put(std::string path, std::string body) {
    return send({.method = "PUT", .path = std::move(path), .body = std::move(body)});
  }
  Answer remove(std::string path, std::string body = {}) {
    return send({.method = "DELETE", .path = std::move(path), .body = std::move(body)});
  }
  Answer patch(std::string path, std::string type, std::string body) {
    return send({.method = "PATCH",
                 .path = std::move(path),
                 .body = std::move(body),
                 .content_type = "application/" + type + "+json"});
  }
  Watching& watch(std::string path, std::string accept = "application/json") {
    auto& watching = *watches_.emplace_back(std::make_unique<Watching>());
    scope_.spawn(
        follow(&transport_, {.path = std::move(path), .accept = std::move(accept)}, &watching));
    settle();
    return watching;
  }
  void settle() { loop_.run_for(std::chrono::milliseconds(200)); }
  void run(Task<void> task) {
    Scope scope(loop_);
    scope.spawn(std::move(task));
    EXPECT_TRUE(loop_.run_until([&] { return scope.idle(); }, std::chrono::seconds(30)));
  }

  VirtualLoop loop_;
  TestWorld world_;
  MemoryEtcd etcd_;
  metrics::Registry metrics_;
  apiserver::Server server_;
  http::InProcessTransport transport_;
  std::vector<std::unique_ptr<Watching>> watches_;
  Scope scope_;

 private:
  static http::RequestHead head_of(const Request& request) {
    http::RequestHead head;
    head.method = request.method;
    const std::size_t mark = request.path.find('?');
    head.path = request.path.substr(0, mark);
    if (mark != std::string::npos) head.query = request.path.substr(mark + 1);
    if (!request.accept.empty()) head.headers.add("accept", request.accept);
    if (!request.body.empty()) head.headers.add("content-type", request.content_type);
    if (!request.token.empty()) head.headers.add("authorization", "Bearer " + request.token);
    if (!request.as.empty()) head.headers.add("impersonate-user", request.as);
    return head;
  }
  static Task<void> start(apiserver::Server* server) {
    auto started = co_await server->start();
    EXPECT_TRUE(started.has_value());
  }
  static Task<void> exchange(http::Transport* transport, Request request,
                             std::optional<Answer>* out) {
    auto response =
        co_await http::fetch(*transport, head_of(request), request.body, std::size_t{64} << 20);
    Answer answer;
    EXPECT_TRUE(response.has_value()) << response.error().to_string();
    if (response) {
      answer.code = response->head.status;
      answer.headers = response->head.headers;
      answer.text = response->body;
      if (auto parsed = json::parse(response->body, {.bytes_max = std::size_t{64} << 20}))
        answer.body = std::move(*parsed);
    }
    out->emplace(std::move(answer));
  }
  static Task<void> follow(http::Transport* transport, Request request, Watching* out) {
    auto call = co_await transport->open(head_of(request), Bytes());
    if (!call) co_return;
    out->call = std::move(*call);
    auto head = co_await out->call->head();
    if (head) out->code = head->status;
    while (true) {
      auto piece = co_await out->call->read();
      if (!piece || !*piece) break;
      out->rest += **piece;
      for (std::size_t end = out->rest.find('\n'); end != Bytes::npos; end = out->rest.find('\n')) {
        auto event = json::parse(out->rest.substr(0, end));
        if (event) out->events.push_back(std::move(*event));
        out->rest.erase(0, end + 1);
      }
    }
    out->ended = true;
  }
};

}  // namespace tripod::test
