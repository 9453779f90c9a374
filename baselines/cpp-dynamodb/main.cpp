// The hit counter on DynamoDB: one item, one atomic write a hit. libcurl speaks to the Runtime API and, signing, to DynamoDB.

#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include <curl/curl.h>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    if (!value) throw std::runtime_error(std::string(name) + " is missing");
    return value;
}

struct Answer {
    long status = 0;
    std::string body;
    // Of the Runtime API's events.
    std::string request_id;
};

// An HTTP client that keeps its connection.
class Client {
public:
    Client() : curl_(curl_easy_init()) {
        if (!curl_) throw std::runtime_error("libcurl has no handle");
        set(CURLOPT_ERRORBUFFER, error_);
        set(CURLOPT_WRITEFUNCTION, &Client::on_body);
        set(CURLOPT_HEADERFUNCTION, &Client::on_header);
        set(CURLOPT_NOSIGNAL, 1L);
    }

    template <typename Value>
    void set(CURLoption option, Value value) {
        if (CURLcode code = curl_easy_setopt(curl_.get(), option, value); code != CURLE_OK)
            throw std::runtime_error(curl_easy_strerror(code));
    }

    void header(const std::string& line) {
        headers_.reset(curl_slist_append(headers_.release(), line.c_str()));
        set(CURLOPT_HTTPHEADER, headers_.get());
    }

    Answer get(const std::string& url) {
        set(CURLOPT_HTTPGET, 1L);
        return perform(url);
    }

    Answer post(const std::string& url, const std::string& body) {
        set(CURLOPT_POST, 1L);
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        set(CURLOPT_POSTFIELDS, body.c_str());
        return perform(url);
    }

private:
    Answer perform(const std::string& url) {
        Answer answer;
        set(CURLOPT_URL, url.c_str());
        set(CURLOPT_WRITEDATA, &answer);
        set(CURLOPT_HEADERDATA, &answer);
        if (CURLcode code = curl_easy_perform(curl_.get()); code != CURLE_OK)
            throw std::runtime_error(url + ": " + (*error_ ? error_ : curl_easy_strerror(code)));
        curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &answer.status);
        return answer;
    }

    static size_t on_body(char* data, size_t, size_t length, void* answer) {
        static_cast<Answer*>(answer)->body.append(data, length);
        return length;
    }

    static size_t on_header(char* data, size_t, size_t length, void* answer) {
        static const std::string name = "lambda-runtime-aws-request-id:";
        if (length > name.size() && curl_strnequal(data, name.c_str(), name.size())) {
            std::string value(data + name.size(), length - name.size());
            value.erase(0, value.find_first_not_of(' '));
            value.erase(value.find_last_not_of("\r\n") + 1);
            static_cast<Answer*>(answer)->request_id = value;
        }
        return length;
    }

    struct Free {
        void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    char error_[CURL_ERROR_SIZE] = "";
    std::unique_ptr<curl_slist, Free> headers_;
    std::unique_ptr<CURL, Free> curl_;
};

class Counter {
public:
    Counter() {
        const std::string region = variable("AWS_REGION");
        const char* local = std::getenv("AWS_ENDPOINT_URL");
        url_ = local ? local : "https://dynamodb." + region + ".amazonaws.com";
        dynamodb_.set(CURLOPT_AWS_SIGV4, ("aws:amz:" + region + ":dynamodb").c_str());
        const std::string credentials = variable("AWS_ACCESS_KEY_ID") + ":" + variable("AWS_SECRET_ACCESS_KEY");
        dynamodb_.set(CURLOPT_USERPWD, credentials.c_str());
        dynamodb_.header("Content-Type: application/x-amz-json-1.0");
        dynamodb_.header("X-Amz-Target: DynamoDB_20120810.UpdateItem");
        if (const char* token = std::getenv("AWS_SESSION_TOKEN"))
            dynamodb_.header(std::string("X-Amz-Security-Token: ") + token);
        dynamodb_.set(CURLOPT_CONNECTTIMEOUT_MS, 1000L);
        dynamodb_.set(CURLOPT_TIMEOUT_MS, 4000L);
        update_ = json{
            {"TableName", variable("TABLE_NAME")},
            // counter-dynamodb has item 0, the other baselines theirs.
            {"Key", {{"id", {{"N", "3"}}}}},
            {"UpdateExpression", "ADD hits :one"},
            {"ExpressionAttributeValues", {{":one", {{"N", "1"}}}}},
            {"ReturnValues", "UPDATED_NEW"},
        }.dump();
    }

    // Counts a hit: the count after it.
    std::string hit() {
        const Answer answer = dynamodb_.post(url_, update_);
        if (answer.status != 200)
            throw std::runtime_error("DynamoDB answers " + std::to_string(answer.status) + ": " + answer.body);
        return json::parse(answer.body).at("Attributes").at("hits").at("N").get<std::string>();
    }

private:
    Client dynamodb_;
    std::string url_;
    std::string update_;
};

json handle(Counter& counter, const json& event) {
    if (event.at("requestContext").at("http").at("method") != "GET")
        return {{"statusCode", 405}, {"headers", {{"Allow", "GET"}}}};
    return {
        {"statusCode", 200},
        {"headers", {{"Content-Type", "text/plain"}, {"Cache-Control", "no-store"}}},
        {"body", counter.hit()},
    };
}

json error(const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return {{"errorType", "Error"}, {"errorMessage", error.what()}};
}

// The text, with what is no UTF-8 replaced.
std::string text(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

int main() {
    const std::string runtime = "http://" + variable("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/";
    curl_global_init(CURL_GLOBAL_DEFAULT);
    Client lambda;
    lambda.header("Content-Type: application/json");
    // Else libcurl waits for a leave to send that the Runtime API does not give.
    lambda.header("Expect:");
    std::unique_ptr<Counter> counter;
    try {
        counter = std::make_unique<Counter>();
    } catch (const std::exception& failure) {
        lambda.post(runtime + "init/error", text(error(failure)));
        return 1;
    }
    while (true) {
        const Answer event = lambda.get(runtime + "invocation/next");
        const std::string invocation = runtime + "invocation/" + event.request_id;
        try {
            const std::string answer = text(handle(*counter, json::parse(event.body)));
            lambda.post(invocation + "/response", answer);
        } catch (const std::exception& failure) {
            lambda.post(invocation + "/error", text(error(failure)));
        }
    }
}
