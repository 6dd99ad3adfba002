/* What a filter written for Kurento's OpenCVFilter needs to run in Rivero. It is the same for all of them: copy it. */
#ifndef RIVERO_OPENCV_HPP
#define RIVERO_OPENCV_HPP

#include <exception>
#include <opencv2/imgproc.hpp>
#include <rivero.h>

namespace kurento {

/* The base class as it was there: `process` changes a picture in BGRA. */
class OpenCVProcess {
public:
  virtual ~OpenCVProcess() = default;
  virtual void process(cv::Mat &mat) = 0;
};

/* A class of C for the filter `Impl`. No exception of C++ leaves it. */
template <class Impl> struct OpenCVClass {
  struct Object {
    rivero_context *context;
    Impl impl;
    bool failed;
  };

  static void *create(rivero_context *context, const rivero_values *, rivero_answer *answer) {
    try {
      return new Object{context, Impl(), false};
    } catch (const std::exception &error) {
      rivero_fail(answer, 0, error.what());
      return nullptr;
    }
  }

  static void destroy(void *object) { delete static_cast<Object *>(object); }

  template <void (*Call)(Impl &, const char *, const rivero_values *, rivero_answer *)>
  static void invoke(void *object, const char *operation, const rivero_values *params, rivero_answer *answer) {
    try {
      Call(static_cast<Object *>(object)->impl, operation, params, answer);
    } catch (const std::exception &error) {
      rivero_fail(answer, 0, error.what());
    }
  }

  static void picture(void *object, rivero_picture *picture) {
    auto *self = static_cast<Object *>(object);
    const int width = picture->width, height = picture->height;
    /* OpenCV has no I420 with odd sides; those pictures pass as they are. */
    if (width % 2 || height % 2) return;
    try {
      cv::Mat raw(height * 3 / 2, width, CV_8UC1, picture->planes[0]), image;
      cv::cvtColor(raw, image, cv::COLOR_YUV2BGRA_I420);
      self->impl.process(image);
      cv::cvtColor(image, raw, cv::COLOR_BGRA2YUV_I420);
      self->failed = false;
    } catch (const std::exception &error) {
      /* Once, and not with every picture. */
      if (!self->failed) rivero_error(self->context, "UNEXPECTED_ERROR", 0, error.what());
      self->failed = true;
    }
  }
};

} // namespace kurento

#endif
