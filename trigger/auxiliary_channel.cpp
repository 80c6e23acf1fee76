#include "trigger/auxiliary_channel.hpp"

#include "trigger/record_channel.hpp"

namespace alleycat {

AuxiliaryChannel::AuxiliaryChannel(const AuxiliaryLook& look, const std::vector<BoardInfo>& boards, Kernels kernels)
    : look_{look}, info_{boards.at(look.channel.board).channels.at(look.channel.channel)}, trace_{0, kernels} {
    make_room(boards.at(look.channel.board).samples);
}

void AuxiliaryChannel::make_room(std::size_t samples) {
    trace_.make_room(samples);
    peaks_.reserve(most_peaks(samples, look_.peaks));
}

bool AuxiliaryChannel::open(const Trigger& trigger) {
    present_ = false;
    peaks_.clear();
    const RecordView* const record = trigger.of_board(look_.channel.board);
    if (record == nullptr) return false;
    const std::size_t position = position_of(record->header(), look_.channel.channel);
    if (position == kMaxChannels) return false;
    trace_.open(*record, position, info_);
    if (trace_.samples() < look_.baseline_samples) return false;
    (void)trace_.take_baseline(look_.baseline_samples, look_.baseline_band_adc);
    present_ = true;
    return true;
}

std::span<const Peak> AuxiliaryChannel::find_peaks() {
    peaks_.clear();
    trace_.find_peaks(look_.peaks, peaks_);
    return peaks_;
}

}  // namespace alleycat
