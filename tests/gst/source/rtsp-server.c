/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rtsp-server.c: a network camera for tests: rtsp-server PORT [PASSWORD]. PORT 0: any. Prints the port it listens on,
 * at /camera, and serves until it is killed or its standard input ends, so that none outlives its test. With a password
 * the user is "guard". */
#include <glib-unix.h>
#include <gst/rtsp-server/rtsp-server.h>

static gboolean
on_input_end (gint fd, GIOCondition condition, gpointer loop)
{
  g_main_loop_quit (loop);
  return G_SOURCE_REMOVE;
}

static void
ask_for_password (GstRTSPServer *server, GstRTSPMediaFactory *factory, const gchar *password)
{
  GstRTSPAuth *auth = gst_rtsp_auth_new ();
  GstRTSPToken *token = gst_rtsp_token_new (GST_RTSP_TOKEN_MEDIA_FACTORY_ROLE, G_TYPE_STRING, "guard", NULL);
  g_autofree gchar *basic = gst_rtsp_auth_make_basic ("guard", password);

  gst_rtsp_auth_add_basic (auth, basic, token);
  gst_rtsp_token_unref (token);
  gst_rtsp_server_set_auth (server, auth);
  g_object_unref (auth);
  gst_rtsp_media_factory_add_role (factory, "guard", GST_RTSP_PERM_MEDIA_FACTORY_ACCESS, G_TYPE_BOOLEAN, TRUE,
      GST_RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, G_TYPE_BOOLEAN, TRUE, NULL);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  GMainLoop *loop = g_main_loop_new (NULL, FALSE);
  GstRTSPServer *server = gst_rtsp_server_new ();
  GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points (server);
  GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new ();

  gst_rtsp_media_factory_set_launch (factory,
      "( videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48,framerate=50/1 ! jpegenc ! rtpjpegpay "
      "name=pay0 pt=26 )");
  gst_rtsp_media_factory_set_shared (factory, TRUE);
  if (argc > 2)
    ask_for_password (server, factory, argv[2]);
  gst_rtsp_mount_points_add_factory (mounts, "/camera", factory);
  g_object_unref (mounts);
  gst_rtsp_server_set_address (server, "127.0.0.1");
  gst_rtsp_server_set_service (server, argc > 1 ? argv[1] : "0");
  if (gst_rtsp_server_attach (server, NULL) == 0)
    g_error ("the server cannot listen on port %s", argc > 1 ? argv[1] : "0");
  g_print ("%d\n", gst_rtsp_server_get_bound_port (server));
  g_unix_fd_add (0, G_IO_HUP | G_IO_IN, on_input_end, loop);
  g_main_loop_run (loop);
  g_object_unref (server);
  g_main_loop_unref (loop);
  return 0;
}
