-- Some plugin's backup
/*!40101 SET NAMES utf8mb4 */;
SET SESSION sql_mode='STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES';
INSERT INTO `wp_options` VALUES (1,'path','C:\'),(2,'home','http://south.example'),(3,'w','a:2:{i:2;a:1:{s:3:"url";s:30:"http://south.example/größe''s";}s:12:"_multiwidget";i:1;}'),(4,'c','<!-- wp:image {"id":7} -->
<img src="http://south.example/wp-content/a.jpg" alt=''it"s'' />
<!-- /wp:image --> http://south.example. http://south.example.org \o/'),(5,'e','[{"id":"1a","settings":{"link":{"url":"http:\/\/south.example\/a\/"},"html":"<a href=\"http:\/\/south.example\/b\">\u00e9<\/a>"}}]'),(6,'j','{"d": "a:1:{s:1:\"u\";s:22:\"http://south.example/x\";}"}'),(7,'\','https://share.example/?u=http%3A%2F%2Fsouth.example%2Fp');
