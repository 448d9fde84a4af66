#include "CUDPSocket.h"
