#include "readout/caen_records.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace alleycat {

CaenRecords::CaenRecords(caen::Family family, ChannelNumbers inputs, std::optional<std::uint16_t> suppressed_code)
    : family_{family}, inputs_{std::move(inputs)}, suppressed_code_{suppressed_code} {
    for (std::size_t c = 0; c < inputs_.size(); ++c) wanted_ |= 1u << inputs_[c];
}

CaenRecords::Taken CaenRecords::take(const caen::Event& event, DefectLog& log) {
    caen::Status status = event.status;
    if (status == caen::Status::ok) {
        layout_ = caen::lay_out(event, family_);
        status = layout_.status;
    }
    if (status == caen::Status::filler) return Taken::skipped;
    if (status != caen::Status::ok) {
        log.count(caen::kStatusNames[static_cast<std::size_t>(status)]);
        return status == caen::Status::excess_bits ? Taken::excess_bits : Taken::skipped;
    }
    if ((event.channel_mask & wanted_) == 0) {
        log.count("no_listed_channel");
        return Taken::skipped;
    }
    if (layout_.samples == 0) {
        log.count("empty_record");
        return Taken::skipped;
    }
    if (layout_.suppressed != 0 && !suppressed_code_) {
        log.count("no_suppressed_code");
        return Taken::no_suppressed_code;
    }
    event_ = event;
    return Taken::record;
}

void CaenRecords::describe(RecordHeader& header, const BoardInfo& board, DefectLog& log) const {
    header.samples_per_channel = layout_.samples;
    header.sample_type = board.sample_type;
    header.trigger_class = board.self_triggered ? TriggerClass::hit : TriggerClass::beam_tick;
    for (std::size_t c = 0; c < inputs_.size(); ++c) {
        if ((event_.channel_mask >> inputs_[c] & 1) == 0) continue;
        header.channel_mask |= std::uint64_t{1} << c;
        ++header.channels;
    }
    const auto flag = [&](bool applies, std::uint32_t bit, std::string_view name) {
        if (!applies) return;
        header.flags |= bit;
        log.count(name);
    };
    flag(header.channels < inputs_.size(), record_flag::missing_channel, "missing_channel");
    flag(layout_.samples != board.samples, record_flag::unexpected_length, "unexpected_length");
    if (event_.board_failed) log.count("board_failed");
}

void CaenRecords::fill(std::span<std::byte> payload) const noexcept {
    const std::size_t bytes = std::size_t{layout_.samples} * bytes_per_sample(caen::sample_type(family_));
    for (std::size_t c = 0; c < inputs_.size(); ++c) {
        if ((event_.channel_mask >> inputs_[c] & 1) == 0) continue;
        const unsigned below = event_.channel_mask & ((1u << inputs_[c]) - 1);
        caen::unpack(event_, family_, static_cast<unsigned>(std::popcount(below)), payload.first(bytes),
                     suppressed_code_.value_or(0));
        payload = payload.subspan(bytes);
    }
    std::fill(payload.begin(), payload.end(), std::byte{0});
}

}  // namespace alleycat
