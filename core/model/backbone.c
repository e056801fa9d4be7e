/* The backbone's place: which one a config asks for. A new one (Swin) is a file beside backbone-resnet.c, a kind in config.h, its channels
 * in config.c, and a line in each switch here.
 */
#include "core/model/parts.h"

void
upi_backbone_tensors (GArray *specs, const UpiConfig *config)
{
  switch (config->backbone) {
  case UPI_BACKBONE_EFFICIENTNET_LITE0:
    upi_efficientnet_lite_tensors (specs);
    break;
  case UPI_BACKBONE_RESNET50:
    upi_resnet_tensors (specs);
    break;
  }
}

void
upi_backbone (UpiBuild *b, UpiValue image, UpiValue maps[4])
{
  upi_program_part (b->program, "backbone (5.2)");
  switch (b->config->backbone) {
  case UPI_BACKBONE_EFFICIENTNET_LITE0:
    upi_efficientnet_lite (b, image, maps);
    break;
  case UPI_BACKBONE_RESNET50:
    upi_resnet (b, image, maps);
    break;
  }
}
