// Runs the network of an unpacked bundle in OpenVINO: on its golden tensors, held to the logits they must give, or on
// tensors of one's own. Ends with 0, with 1 after an error, 2 if it was called wrongly, 3 where logits differ.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <openvino/openvino.hpp>

#include "bundle.hpp"

namespace {

constexpr const char* usage =
    "usage: aver FOLDER [--artifact NAME] [--faces FILE --audio FILE]\n"
    "  FOLDER    of a bundle that was unpacked (unzip sa.aver -d FOLDER)\n"
    "  NAME      of an artifact for OpenVINO; else the bundle's first\n"
    "  FILE      raw values of one or more clips: faces (N, 15, 224, 224, 3) uint8, audio (N, 15, 128) float32;\n"
    "            without them the golden tensors are run, and the logits are held to the expected ones\n";

struct Options {
    std::string folder, artifact, faces, audio;
};

bool read_options(int count, char** words, Options& options) {
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        std::string* place = word == "--artifact" ? &options.artifact
                             : word == "--faces"  ? &options.faces
                             : word == "--audio"  ? &options.audio
                                                  : nullptr;
        if (place && ++i < count) *place = words[i];
        else if (!place && word[0] != '-' && options.folder.empty()) options.folder = word;
        else return false;
    }
    return !options.folder.empty() && options.faces.empty() == options.audio.empty();
}

bool for_openvino(const std::string& name) {
    const std::string suffix = ".openvino";
    return name.size() > suffix.size() && name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0;
}

std::string choose(const aver::Bundle& bundle, const std::string& asked) {
    for (const std::string& name : bundle.artifacts) {
        if (for_openvino(name) && (asked.empty() || name == asked)) return name;
    }
    throw std::runtime_error(bundle.folder.string() + ": no artifact for OpenVINO in it" +
                             (asked.empty() ? "" : " of the name " + asked));
}

ov::CompiledModel compile(ov::Core& core, const aver::fs::path& artifact) {
    // The precision is that of the file, and OpenVINO must not choose another: see CONTRACT.md.
    const ov::AnyMap settings = {{"PERFORMANCE_HINT", "LATENCY"},
                                 {"INFERENCE_PRECISION_HINT", "f32"},
                                 {"DYNAMIC_QUANTIZATION_GROUP_SIZE", 0}};
    const aver::fs::path xml = artifact / "model.xml", bin = artifact / "model.bin";
    for (const aver::fs::path& file : {xml, bin}) {
        if (!aver::fs::is_regular_file(file)) throw std::runtime_error(file.string() + ": no such file");
    }
    return core.compile_model(core.read_model(xml.string(), bin.string()), "CPU", settings);
}

ov::Shape batch_of(std::size_t clips, const aver::Shape& shape) {
    ov::Shape whole = {clips};
    whole.insert(whole.end(), shape.begin(), shape.end());
    return whole;
}

// faces: (N, 15, 224, 224, 3); audio: (N, 15, 128); gives (N, 8).
std::vector<float> infer(ov::CompiledModel& model, const aver::Bundle& bundle, std::vector<std::uint8_t>& faces,
                         std::vector<float>& audio) {
    const std::size_t clips = faces.size() / aver::count(bundle.faces_shape);
    if (audio.size() / aver::count(bundle.audio_shape) != clips) {
        throw std::runtime_error("faces and audio are not of the same number of clips");
    }
    ov::InferRequest request = model.create_infer_request();
    // These tensors are views of the vectors: nothing is copied.
    request.set_tensor("faces", ov::Tensor(ov::element::u8, batch_of(clips, bundle.faces_shape), faces.data()));
    request.set_tensor("audio", ov::Tensor(ov::element::f32, batch_of(clips, bundle.audio_shape), audio.data()));
    request.infer();
    const ov::Tensor logits = request.get_tensor("logits");
    if (logits.get_shape() != ov::Shape{clips, bundle.labels.size()}) {
        throw std::runtime_error("logits are not of the shape that spec.json tells");
    }
    const float* values = logits.data<const float>();
    return {values, values + logits.get_size()};
}

void print_clip(const aver::Bundle& bundle, const float* logits) {
    const std::size_t classes = bundle.labels.size();
    if (!std::all_of(logits, logits + classes, [](float value) { return std::isfinite(value); })) {
        throw std::runtime_error("the network gave logits that are not finite");
    }
    const std::vector<double> probabilities = aver::softmax(logits, classes);
    const auto best = std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
    std::printf("%s\n", bundle.labels[static_cast<std::size_t>(best)].c_str());
    for (std::size_t i = 0; i < classes; ++i) std::printf("  %-9s %.4f\n", bundle.labels[i].c_str(), probabilities[i]);
}

int run(const Options& options) {
    const aver::Bundle bundle = aver::open_bundle(options.folder);
    const std::string name = choose(bundle, options.artifact);
    const bool golden = options.faces.empty();
    auto faces = aver::read_raw<std::uint8_t>(golden ? aver::golden_file(bundle, "faces") : aver::fs::path(options.faces),
                                              bundle.faces_shape);
    auto audio = aver::read_raw<float>(golden ? aver::golden_file(bundle, "audio") : aver::fs::path(options.audio),
                                       bundle.audio_shape);
    ov::Core core;
    ov::CompiledModel model = compile(core, bundle.folder / "artifacts" / name);
    const std::vector<float> logits = infer(model, bundle, faces, audio);
    if (golden) {
        const aver::Comparison found = aver::compare(aver::expected_of(bundle, name), logits.data());
        std::printf("%s: logits of %s: largest difference %.3g, SQNR %.1f dB\n", found.passed ? "ok" : "DIFFERS",
                    name.c_str(), found.max_abs_diff, found.sqnr_db);
        if (!found.passed) {
            std::fprintf(stderr, "error: %s: logits of %s differ from what the bundle expects\n",
                         options.folder.c_str(), name.c_str());
            return 3;
        }
    }
    for (std::size_t at = 0; at < logits.size(); at += bundle.labels.size()) print_clip(bundle, logits.data() + at);
    return 0;
}

// OpenVINO's messages fill several lines.
std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

}  // namespace

int main(int count, char** words) {
    Options options;
    if (!read_options(count, words, options)) {
        std::fputs(usage, stderr);
        return 2;
    }
    try {
        return run(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", one_line(error.what()).c_str());
        return 1;
    }
}
