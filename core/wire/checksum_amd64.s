#include "textflag.h"

// func sumBlocks(p *byte, blocks int) uint64
//
// Y0 to Y3 add up the 64-bit words and lose their carries; Y4 to Y7 add up the
// upper halves alone and lose nothing. What the lower halves add up to is the
// difference: less than 2^64, so that it is exact in spite of the lost carries.
TEXT ·sumBlocks(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ blocks+8(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	VPXOR Y4, Y4, Y4
	VPXOR Y5, Y5, Y5
	VPXOR Y6, Y6, Y6
	VPXOR Y7, Y7, Y7
	SUBQ $4, CX
	JLT rest

four:
	VMOVDQU (SI), Y8
	VMOVDQU 32(SI), Y9
	VMOVDQU 64(SI), Y10
	VMOVDQU 96(SI), Y11
	VPADDQ Y8, Y0, Y0
	VPADDQ Y9, Y1, Y1
	VPADDQ Y10, Y2, Y2
	VPADDQ Y11, Y3, Y3
	VPSRLQ $32, Y8, Y8
	VPSRLQ $32, Y9, Y9
	VPSRLQ $32, Y10, Y10
	VPSRLQ $32, Y11, Y11
	VPADDQ Y8, Y4, Y4
	VPADDQ Y9, Y5, Y5
	VPADDQ Y10, Y6, Y6
	VPADDQ Y11, Y7, Y7
	ADDQ $128, SI
	SUBQ $4, CX
	JGE four

rest:
	ADDQ $4, CX
	JZ done

one:
	VMOVDQU (SI), Y8
	VPADDQ Y8, Y0, Y0
	VPSRLQ $32, Y8, Y8
	VPADDQ Y8, Y4, Y4
	ADDQ $32, SI
	DECQ CX
	JNZ one

done:
	VPADDQ Y1, Y0, Y0
	VPADDQ Y3, Y2, Y2
	VPADDQ Y5, Y4, Y4
	VPADDQ Y7, Y6, Y6
	VPADDQ Y2, Y0, Y0
	VPADDQ Y6, Y4, Y4
	VPSLLQ $32, Y4, Y5
	VPSUBQ Y5, Y0, Y0
	VPADDQ Y4, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPADDQ X1, X0, X0
	VPEXTRQ $1, X0, BX
	VMOVQ X0, AX
	ADDQ BX, AX
	VZEROUPPER
	MOVQ AX, ret+16(FP)
	RET
