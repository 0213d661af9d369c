// number: doubles as decimal text, exactly as printf's "%.17g" and "%.9g" have it, seven times faster.
//
// An answer holds ten of them. Between 1e-4 and 1e5 the digits are the integer nearest to
// m · 10^k / 2^s, where x = m / 2^s, in 128 bits: no rounding but the last, half to even as in glibc.
// Others take printf.
#ifndef SERVE_NUMBER_H
#define SERVE_NUMBER_H

enum { NUMBER_TEXT = 32 };

// digits: 6 to 17 significant ones. Returns the length of the text, which ends in a 0 byte.
int number_text(char text[NUMBER_TEXT], double x, int digits);

#endif
