/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * locale.c: every test runs in the user's locale, as programs do: CI runs them where numbers have a comma. */
#include <locale.h>

__attribute__ ((constructor)) static void
set_locale (void)
{
  setlocale (LC_ALL, "");
}
