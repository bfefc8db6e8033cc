#include "textflag.h"

// func sumBlocks(p *byte, blocks int) uint64
//
// Each 32-bit word of the blocks of 128 bytes is widened to 64 bits and added to
// one of four vectors, so that no carry is lost and no addition waits for
// another.
TEXT ·sumBlocks(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPCMPEQD Y15, Y15, Y15
	VPSRLQ $32, Y15, Y15

block:
	VMOVDQU (SI), Y4
	VMOVDQU 32(SI), Y5
	VMOVDQU 64(SI), Y6
	VMOVDQU 96(SI), Y7
	VPAND Y15, Y4, Y8
	VPAND Y15, Y5, Y9
	VPAND Y15, Y6, Y10
	VPAND Y15, Y7, Y11
	VPSRLQ $32, Y4, Y4
	VPSRLQ $32, Y5, Y5
	VPSRLQ $32, Y6, Y6
	VPSRLQ $32, Y7, Y7
	VPADDQ Y8, Y0, Y0
	VPADDQ Y9, Y1, Y1
	VPADDQ Y10, Y2, Y2
	VPADDQ Y11, Y3, Y3
	VPADDQ Y4, Y0, Y0
	VPADDQ Y5, Y1, Y1
	VPADDQ Y6, Y2, Y2
	VPADDQ Y7, Y3, Y3
	ADDQ $128, SI
	DECQ CX
	JNZ block

	VPADDQ Y1, Y0, Y0
	VPADDQ Y3, Y2, Y2
	VPADDQ Y2, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X1, X0, X0
	VPEXTRQ $1, X0, BX
	VMOVQ X0, AX
	ADDQ BX, AX
	VZEROUPPER
	MOVQ AX, ret+16(FP)
	RET
