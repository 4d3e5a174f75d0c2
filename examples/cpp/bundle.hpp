// What a program needs of an unpacked bundle: its network, its labels, and the golden tensors. See CONTRACT.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "json.hpp"

namespace aver {

namespace fs = std::filesystem;
using Shape = std::vector<std::size_t>;

// The versions of the contract that this program was written for.
constexpr int contract_version = 1;

struct Tolerance {
    std::optional<double> max_abs_diff;
    std::optional<double> min_sqnr_db;
};

// What an artifact makes of the golden faces and audio.
struct Expected {
    std::vector<float> logits;
    Tolerance tolerance;
};

// Shapes are those of one clip: without the batch, which may be anything.
struct Bundle {
    fs::path folder;
    std::vector<std::string> artifacts;
    std::vector<std::string> labels;
    Shape faces_shape;
    Shape audio_shape;
    json::Value golden;
};

inline std::vector<char> read_bytes(const fs::path& path) {
    if (!fs::is_regular_file(path)) throw std::runtime_error(path.string() + ": no such file");
    std::ifstream file(path, std::ios::binary);
    std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file) throw std::runtime_error(path.string() + ": cannot be read");
    return bytes;
}

inline std::size_t count(const Shape& shape) {
    std::size_t product = 1;
    for (const std::size_t size : shape) product *= size;
    return product;
}

// Values of a raw file, little-endian as x86-64 and ARM are; as many clips of `shape` as it holds.
template <typename T>
std::vector<T> read_raw(const fs::path& path, const Shape& shape) {
    const std::vector<char> bytes = read_bytes(path);
    const std::size_t one = count(shape) * sizeof(T);
    if (bytes.empty() || bytes.size() % one != 0) {
        throw std::runtime_error(path.string() + ": " + std::to_string(bytes.size()) + " bytes, expected " +
                                 std::to_string(one) + " for each clip");
    }
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

// Reads a JSON file and hands it to `use`; whatever is wrong in it is told with its path.
template <typename Use>
void with_json(const fs::path& path, Use use) {
    const std::vector<char> bytes = read_bytes(path);
    try {
        const json::Value value = json::parse(std::string(bytes.begin(), bytes.end()));
        const double version = value.at("format_version").real();
        if (version != contract_version) {
            throw std::runtime_error("format_version " + std::to_string(static_cast<int>(version)) +
                                     ", this program reads " + std::to_string(contract_version));
        }
        use(value);
    } catch (const std::exception& error) {
        throw std::runtime_error(path.string() + ": " + error.what());
    }
}

inline std::vector<std::string> strings(const json::Value& list) {
    std::vector<std::string> found;
    for (const json::Value& item : list.list()) found.push_back(item.string());
    return found;
}

// The shape of one clip, of a tensor that must have this name and type.
inline Shape clip_shape(const json::Value& tensor, const std::string& name, const std::string& dtype) {
    if (tensor.at("name").string() != name || tensor.at("dtype").string() != dtype) {
        throw std::runtime_error("expected the tensor " + name + " of " + dtype);
    }
    Shape shape;
    const std::vector<json::Value>& sizes = tensor.at("shape").list();
    for (std::size_t i = 1; i < sizes.size(); ++i) shape.push_back(static_cast<std::size_t>(sizes[i].real()));
    return shape;
}

inline Bundle open_bundle(const fs::path& folder) {
    Bundle bundle;
    bundle.folder = folder;
    with_json(folder / "manifest.json", [&](const json::Value& manifest) {
        bundle.artifacts = strings(manifest.at("artifacts"));
    });
    with_json(folder / "spec.json", [&](const json::Value& spec) {
        bundle.labels = strings(spec.at("labels"));
        const std::vector<json::Value>& inputs = spec.at("inputs").list();
        if (inputs.size() != 2) throw std::runtime_error("expected two inputs");
        bundle.faces_shape = clip_shape(inputs[0], "faces", "uint8");
        bundle.audio_shape = clip_shape(inputs[1], "audio", "float32");
    });
    with_json(folder / "golden" / "golden.json", [&](const json::Value& golden) { bundle.golden = golden; });
    return bundle;
}

inline fs::path golden_file(const Bundle& bundle, const std::string& tensor) {
    return bundle.folder / "golden" / bundle.golden.at("tensors").at(tensor).at("file").string();
}

inline Expected expected_of(const Bundle& bundle, const std::string& artifact) {
    if (!bundle.golden.at("logits").has(artifact)) {
        throw std::runtime_error(artifact + ": the golden clip has no logits for it");
    }
    const json::Value& told = bundle.golden.at("logits").at(artifact);
    const auto limit = [&](const char* name) -> std::optional<double> {
        const json::Value& value = told.at("tolerance").at(name);
        return value.is_null() ? std::nullopt : std::optional<double>(value.real());
    };
    Expected expected;
    expected.tolerance = {limit("max_abs_diff"), limit("min_sqnr_db")};
    if (!expected.tolerance.max_abs_diff && !expected.tolerance.min_sqnr_db) {
        throw std::runtime_error(artifact + ": a tolerance that limits nothing");
    }
    const fs::path file = bundle.folder / "golden" / told.at("file").string();
    expected.logits = read_raw<float>(file, {bundle.labels.size()});
    if (expected.logits.size() != bundle.labels.size()) throw std::runtime_error(file.string() + ": not one clip");
    return expected;
}

struct Comparison {
    double max_abs_diff = 0;
    double sqnr_db = 0;
    bool passed = false;
};

inline Comparison compare(const Expected& expected, const float* logits) {
    double signal = 0, noise = 0, largest = 0;
    bool finite = true;
    for (std::size_t i = 0; i < expected.logits.size(); ++i) {
        const double wanted = expected.logits[i], difference = wanted - logits[i];
        signal += wanted * wanted;
        noise += difference * difference;
        // A maximum passes over what is not a number.
        finite = finite && std::isfinite(difference);
        largest = std::max(largest, std::abs(difference));
    }
    Comparison result;
    result.max_abs_diff = largest;
    result.sqnr_db = noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
    const Tolerance& limits = expected.tolerance;
    result.passed = finite && (!limits.max_abs_diff || largest <= *limits.max_abs_diff) &&
                    (!limits.min_sqnr_db || result.sqnr_db >= *limits.min_sqnr_db);
    return result;
}

inline std::vector<double> softmax(const float* logits, std::size_t classes) {
    double largest = logits[0], sum = 0;
    for (std::size_t i = 0; i < classes; ++i) largest = std::max<double>(largest, logits[i]);
    std::vector<double> values(classes);
    for (std::size_t i = 0; i < classes; ++i) sum += values[i] = std::exp(logits[i] - largest);
    for (double& value : values) value /= sum;
    return values;
}

}  // namespace aver
