// A whole training step of a TopK coder: encode, decode, loss, sample, feature_major, and two scatters that end in Adam.
#include "bench.h"

namespace transweld {
namespace {

struct Coder {
  tw_view weight, m, v, bias, bias_m, bias_v, norms, shadow;
};

class Step {
 public:
  Step(Opened& opened, const Shape& shape, uint32_t screen)
      : stock_(opened), s_(shape), screen_(screen), encoder_(coder(screen)), decoder_(coder(TW_SCREEN_NONE)), x_(stock_.normal(s_.N, s_.D)),
        y_hat_(stock_.room(s_.N, s_.D)), dy_(stock_.room(s_.N, s_.D)), stats_(stock_.room(1, 8)), codes_{{}, stock_.room(s_.N, s_.K, TW_U32)},
        z_(stock_.room(s_.N, s_.K)), dz_(stock_.room(s_.N, s_.K)), counts_(stock_.room(1, 4, TW_U64)), b_dec_(stock_.zeros(1, s_.D)),
        major_{stock_.room(1, s_.F + 1, TW_U64), stock_.room(1, s_.N * s_.K, TW_U32), stock_.room(1, s_.N * s_.K, TW_U32), stock_.room(1, s_.F, TW_U32)} {}

  bool is_possible() const { return screen_ == TW_SCREEN_NONE || encoder_.shadow.columns > 0; }

  void run() {
    stock_.call(&tw_op_table::sparse_encode, tw_sparse_encode_args{sizeof(tw_sparse_encode_args), TW_RULE_TOPK, 1, screen_, x_, encoder_.weight,
      encoder_.bias, {}, encoder_.shadow, codes_, z_, counts_, 1, 0});
    stock_.call(&tw_op_table::sparse_decode, tw_sparse_decode_args{sizeof(tw_sparse_decode_args), 0, codes_, z_, decoder_.weight, b_dec_, y_hat_});
    stock_.call(&tw_op_table::recon_loss, tw_recon_loss_args{sizeof(tw_recon_loss_args), TW_LOSS_FVU, 1, 0, x_, y_hat_, {}, dy_, stats_, {}});
    stock_.call(&tw_op_table::sparse_sample, tw_sparse_sample_args{sizeof(tw_sparse_sample_args), 0, codes_, dy_, decoder_.weight, z_, {}, dz_, {}});
    stock_.call(&tw_op_table::feature_major, tw_feature_major_args{sizeof(tw_feature_major_args), static_cast<uint32_t>(s_.F), codes_, s_.N, z_,
      major_.feature_starts, major_.rows, major_.slots, major_.fired});
    scatter(decoder_, z_, dy_, TW_SCREEN_NONE, 1);
    scatter(encoder_, dz_, x_, screen_, 0);
  }

  // The product, and every parameter with its moments read and written once; the shadow is read and written.
  Work work() const {
    const double weights = static_cast<double>(s_.F * s_.D), rows = static_cast<double>(s_.N * s_.D), codes = static_cast<double>(s_.N * s_.K);
    return {2 * weights * static_cast<double>(s_.N), 2 * 24 * weights + 2 * static_cast<double>(encoder_.shadow.columns) + 4 * 7 * rows + 4 * 8 * codes};
  }

 private:
  Coder coder(uint32_t screen) {
    Coder c{stock_.normal(s_.F, s_.D), stock_.zeros(s_.F, s_.D), stock_.zeros(s_.F, s_.D), stock_.zeros(1, s_.F), stock_.zeros(1, s_.F), stock_.zeros(1, s_.F),
            stock_.room(1, s_.F), {}};
    stock_.call(&tw_op_table::unit_rows, tw_unit_rows_args{sizeof(tw_unit_rows_args), 1, c.weight, c.norms});
    c.shadow = stock_.shadow(screen, c.weight);
    return c;
  }

  void scatter(Coder& c, const tw_view& plane, const tw_view& dense, uint32_t screen, uint32_t unit) {
    tw_sparse_scatter_args a{};
    a.size = sizeof a;
    a.mode = TW_ADAM;
    a.term_count = 1;
    a.unit = unit;
    a.screen = screen;
    a.terms[0] = {major_.feature_starts, major_.rows, major_.slots, plane, dense};
    a.weight = c.weight, a.m = c.m, a.v = c.v;
    if (!unit) a.bias = c.bias, a.bias_m = c.bias_m, a.bias_v = c.bias_v;
    a.norms = c.norms;
    a.shadow = c.shadow;
    a.rate = 1e-4f, a.beta1 = 0.9f, a.beta2 = 0.999f, a.epsilon = 1e-8f, a.correction1 = 0.5f, a.correction2 = 0.1f;
    stock_.call(&tw_op_table::sparse_scatter, a);
  }

  Stock stock_;
  const Shape s_;
  const uint32_t screen_;
  Coder encoder_, decoder_;
  tw_view x_, y_hat_, dy_, stats_;
  tw_pattern codes_;
  tw_view z_, dz_, counts_, b_dec_;
  Major major_;
};

}   // namespace

// The modes take turns in one race: three coders with their moments are 39 GB of the largest shape.
void bench_steps(Report& report, const Shape& shape) {
  constexpr const char* kNames[] = {"step, no screen", "step, bf16 screen", "step, int8 screen"};
  try {
    std::deque<Step> steps;
    std::vector<Measured> together;
    for (uint32_t screen : {TW_SCREEN_NONE, TW_SCREEN_BF16, TW_SCREEN_INT8}) {
      Step& step = steps.emplace_back(report.opened, shape, screen);
      if (step.is_possible()) together.push_back({kNames[screen], step.work(), [&step] { step.run(); }});
    }
    report.measure(shape, together);
  } catch (const std::exception& error) {
    report.failed(shape, "step", error.what());
  }
}

}   // namespace transweld
