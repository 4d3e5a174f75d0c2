// A reader of JSON, as much of it as a bundle's files hold.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace json {

class Value {
public:
    enum class Kind { null, boolean, number, string, array, object };

    Kind kind = Kind::null;
    double number = 0;
    std::string text;
    std::vector<Value> items;
    std::map<std::string, Value> members;

    bool is_null() const { return kind == Kind::null; }

    const Value& at(const std::string& name) const {
        require(Kind::object, "an object");
        const auto found = members.find(name);
        if (found == members.end()) throw std::runtime_error("no \"" + name + "\" in it");
        return found->second;
    }
    bool has(const std::string& name) const { return members.count(name) != 0; }
    const std::string& string() const { return require(Kind::string, "a string").text; }
    double real() const { return require(Kind::number, "a number").number; }
    const std::vector<Value>& list() const { return require(Kind::array, "a list").items; }

private:
    const Value& require(Kind wanted, const char* what) const {
        if (kind != wanted) throw std::runtime_error(std::string("a value that is not ") + what);
        return *this;
    }
};

class Parser {
public:
    explicit Parser(const std::string& text) : text_(text) {}

    Value document() {
        Value value = any(0);
        skip_space();
        if (at_ != text_.size()) fail("something after its end");
        return value;
    }

private:
    static constexpr int max_depth = 32;

    Value any(int depth) {
        if (depth > max_depth) fail("too deep");
        skip_space();
        Value value;
        switch (peek()) {
            case '{': return object(depth);
            case '[': return array(depth);
            case '"':
                value.kind = Value::Kind::string;
                value.text = string();
                return value;
            case 't': return word("true", Value::Kind::boolean, 1);
            case 'f': return word("false", Value::Kind::boolean, 0);
            case 'n': return word("null", Value::Kind::null, 0);
            default: return number();
        }
    }

    Value object(int depth) {
        Value value;
        value.kind = Value::Kind::object;
        take('{');
        if (next_is('}')) return value;
        do {
            skip_space();
            std::string name = string();
            skip_space();
            take(':');
            value.members[name] = any(depth + 1);
        } while (next_is(','));
        take('}');
        return value;
    }

    Value array(int depth) {
        Value value;
        value.kind = Value::Kind::array;
        take('[');
        if (next_is(']')) return value;
        do value.items.push_back(any(depth + 1));
        while (next_is(','));
        take(']');
        return value;
    }

    std::string string() {
        take('"');
        std::string found;
        while (peek() != '"') {
            char c = text_[at_++];
            if (c == '\\') c = escaped(found);
            if (c) found += c;
        }
        ++at_;
        return found;
    }

    // Names and numbers are ASCII; any other character of a remark is kept as "?".
    char escaped(std::string& found) {
        const char c = peek();
        ++at_;
        if (c != 'u') {
            const std::string from = "nrtbf", to = "\n\r\t\b\f";
            const auto place = from.find(c);
            return place == std::string::npos ? c : to[place];
        }
        if (at_ + 4 > text_.size()) fail("it ends too early");
        const long code = std::strtol(text_.substr(at_, 4).c_str(), nullptr, 16);
        at_ += 4;
        found += code > 0 && code < 128 ? static_cast<char>(code) : '?';
        return 0;
    }

    Value number() {
        const char* begin = text_.c_str() + at_;
        char* end = nullptr;
        Value value;
        value.kind = Value::Kind::number;
        value.number = std::strtod(begin, &end);
        if (end == begin) fail("a value that is none");
        at_ += static_cast<std::size_t>(end - begin);
        return value;
    }

    Value word(const std::string& expected, Value::Kind kind, double number) {
        if (text_.compare(at_, expected.size(), expected) != 0) fail("a word that is none");
        at_ += expected.size();
        Value value;
        value.kind = kind;
        value.number = number;
        return value;
    }

    bool next_is(char c) {
        skip_space();
        if (peek() != c) return false;
        ++at_;
        return true;
    }

    void take(char c) {
        if (!next_is(c)) fail(std::string("'") + c + "' is missing");
    }

    void skip_space() {
        while (at_ < text_.size() && std::string(" \n\r\t").find(text_[at_]) != std::string::npos) ++at_;
    }

    char peek() const {
        if (at_ >= text_.size()) fail("it ends too early");
        return text_[at_];
    }

    [[noreturn]] void fail(const std::string& why) const {
        throw std::runtime_error("not JSON at byte " + std::to_string(at_) + ": " + why);
    }

    const std::string& text_;
    std::size_t at_ = 0;
};

inline Value parse(const std::string& text) { return Parser(text).document(); }

}  // namespace json
