// table_format: what the table's reader and writer must agree on, private to the two.
//
// npy format 1.0: magic, version, header length, a Python dictionary padded with spaces to a
// multiple of 64 bytes, then the values (NumPy Enhancement Proposal 1).
#ifndef INGEST_TABLE_FORMAT_H
#define INGEST_TABLE_FORMAT_H

#include "ingest/table.h"

#define TABLE_FORMAT   "assay table"
#define TABLE_MANIFEST "manifest.json"
enum { TABLE_VERSION = 1, NPY_HEADER = 128, TABLE_FILE_NAME = 256 };

const char *npy_dtype(enum column_kind kind);
// Of a manifest's members but its own "xxh3", written compact and sorted. 0 or -1, out of memory.
int manifest_xxh3(const json_t *manifest, uint64_t *xxh3);
// All NPY_HEADER bytes of the header of rows values of that kind.
void npy_header(char header[NPY_HEADER], enum column_kind kind, uint64_t rows);
// The file of a column: its name and ".npy", where '/', '%', control characters and a '.' in front
// become %XX, so that any name is a file in the table's folder and nowhere else.
int table_file_name(char file[TABLE_FILE_NAME], const char *name, struct err *err);

#endif
