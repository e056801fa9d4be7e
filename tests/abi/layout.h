/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * layout.h: what a compiler made of a version of the public headers: structs with the places and sizes of their fields,
 * values of enumerations. */
#pragma once

#include <glib.h>

typedef enum {
  LAYOUT_FIXED,  /* in arrays, or with data behind it: never another size */
  LAYOUT_SIZED,  /* filled by callers: begins with its size, grows at its end */
  LAYOUT_OWN,    /* made by the library alone: grows at its end */
  LAYOUT_FIELD,  /* of the struct before it */
  LAYOUT_NUMBER, /* an enumerator */
} LayoutKind;

typedef struct {
  LayoutKind kind;
  const gchar *of, *name; /* struct and field; NULL and enumerator */
  gsize offset, size;     /* NUMBER: the value is in size */
} Layout;

extern const Layout layout_stored[]; /* ends with a NULL name */
extern const Layout layout_now[];
