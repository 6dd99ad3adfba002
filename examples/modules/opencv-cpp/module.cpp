#include "EdgesFilterOpenCVImpl.hpp"

#include <string>

using kurento::module::edges::EdgesFilterOpenCVImpl;
using Class = kurento::OpenCVClass<EdgesFilterOpenCVImpl>;

static void call(EdgesFilterOpenCVImpl &impl, const char *operation, const rivero_values *params, rivero_answer *) {
  const std::string name = operation;
  if (name == "setFilterType") impl.setFilterType(rivero_int(params, "filterType", 0));
  if (name == "setEdgeThreshold") impl.setEdgeThreshold(rivero_int(params, "edgeValue", 0));
}

static const rivero_class edges = {
  sizeof(rivero_class), "EdgesFilter", Class::create, Class::destroy, Class::invoke<call>, Class::picture, nullptr,
};

RIVERO_MODULE(&edges)
