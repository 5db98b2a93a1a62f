from django.db import models


class Note(models.Model):
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    made = models.DateTimeField(auto_now_add=True)

    def __str__(self):
        return self.title
