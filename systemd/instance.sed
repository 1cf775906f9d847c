# Makes surveil@.service of surveil.service: `make docs`.
1c\
# surveil: video surveillance daemon, one of several: `systemctl enable --now surveil@yard` reads /etc/surveil/yard.yaml.\
# Made from surveil.service by `make docs`. Each needs an `http.listen` port of its own, 9108 to 9139, and a name of at\
# most 20 characters; its `state_dir` is /var/lib/surveil-NAME.
s|^Description=.*|& (%i)|
/^Group=surveil$/a\
# /etc/surveil is readable for that group alone.\
SupplementaryGroups=surveil
s|/etc/surveil/config.yaml|/etc/surveil/%i.yaml|
s,^\(User\|Group\|StateDirectory\|RuntimeDirectory\|CacheDirectory\)=surveil$,&-%i,
s|^\(SocketBindAllow=ipv[46]:tcp:\)9108$|\19108-9139|
s|systemctl edit surveil|systemctl edit surveil@NAME|
