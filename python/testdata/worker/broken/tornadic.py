class Application:
    pass


Application.__module__ = "tornado.web"
app = Application()
