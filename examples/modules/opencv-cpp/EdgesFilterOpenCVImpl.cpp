#include "EdgesFilterOpenCVImpl.hpp"

#include <opencv2/imgproc.hpp>

namespace kurento {
namespace module {
namespace edges {

/* A picture as Kurento gives it: BGRA. */
void EdgesFilterOpenCVImpl::process(cv::Mat &mat) {
  cv::Mat grey;
  cv::cvtColor(mat, grey, cv::COLOR_BGRA2GRAY);
  if (filterType == 0) cv::Canny(grey, grey, edgeValue, edgeValue);
  cv::cvtColor(grey, mat, cv::COLOR_GRAY2BGRA);
}

void EdgesFilterOpenCVImpl::setFilterType(int filterType) { this->filterType = filterType; }

void EdgesFilterOpenCVImpl::setEdgeThreshold(int edgeValue) { this->edgeValue = edgeValue; }

} // namespace edges
} // namespace module
} // namespace kurento
