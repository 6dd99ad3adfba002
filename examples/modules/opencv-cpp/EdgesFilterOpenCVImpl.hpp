#ifndef EDGES_FILTER_OPENCV_IMPL_HPP
#define EDGES_FILTER_OPENCV_IMPL_HPP

#include "rivero_opencv.hpp"

namespace kurento {
namespace module {
namespace edges {

class EdgesFilterOpenCVImpl : public virtual OpenCVProcess {
public:
  EdgesFilterOpenCVImpl() = default;
  virtual ~EdgesFilterOpenCVImpl() = default;

  virtual void process(cv::Mat &mat);

  void setFilterType(int filterType);
  void setEdgeThreshold(int edgeValue);

private:
  int filterType = 0;
  int edgeValue = 125;
};

} // namespace edges
} // namespace module
} // namespace kurento

#endif
