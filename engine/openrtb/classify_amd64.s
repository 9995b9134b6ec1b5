#include "textflag.h"

// VALUE fills all 32 bytes of a register with one.
#define VALUE(byte, x, y) \
	MOVQ $byte, AX; \
	VMOVQ AX, x; \
	VPBROADCASTB x, y

// STORE puts the highest bits of the bytes of Y12 and Y13 into a word of the
// block.
#define STORE(offset) \
	VPMOVMSKB Y12, AX; \
	VPMOVMSKB Y13, BX; \
	SHLQ $32, BX; \
	ORQ BX, AX; \
	MOVQ AX, offset(DI)

// EQUAL stores which bytes of Y10 and Y11 are value.
#define EQUAL(value, offset) \
	VPCMPEQB value, Y10, Y12; \
	VPCMPEQB value, Y11, Y13; \
	STORE(offset)

// UPTO stores which bytes of Y10 and Y11 are at most value.
#define UPTO(value, offset) \
	VPMINUB value, Y10, Y12; \
	VPMINUB value, Y11, Y13; \
	VPCMPEQB Y10, Y12, Y12; \
	VPCMPEQB Y11, Y13, Y13; \
	STORE(offset)

// func classify(text *byte, n int, to *classes)
TEXT ·classify(SB), NOSPLIT, $0-24
	MOVQ text+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ to+16(FP), DI
	VALUE(0x22, X0, Y0) // quote
	VALUE(0x5c, X1, Y1) // backslash
	VALUE(0x1f, X2, Y2)
	VALUE(0x20, X3, Y3) // space, and what turns [ into {
	VALUE(0x7b, X4, Y4) // {
	VALUE(0x7d, X5, Y5) // }
	VALUE(0x3a, X6, Y6) // colon
	VALUE(0x2c, X7, Y7) // comma
	VALUE(0x30, X8, Y8) // 0
	VALUE(0x09, X9, Y9)

block:
	VMOVDQU (SI), Y10
	VMOVDQU 32(SI), Y11
	EQUAL(Y0, 0)
	EQUAL(Y1, 8)
	UPTO(Y2, 16)
	UPTO(Y3, 24)
	EQUAL(Y6, 32)
	EQUAL(Y7, 40)
	EQUAL(Y8, 48)
	VPOR Y3, Y10, Y14
	VPOR Y3, Y11, Y15
	VPXOR Y8, Y10, Y10
	VPXOR Y8, Y11, Y11
	UPTO(Y9, 56)
	VMOVDQA Y14, Y10
	VMOVDQA Y15, Y11
	EQUAL(Y4, 64)
	EQUAL(Y5, 72)
	ADDQ $64, SI
	ADDQ $80, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET
