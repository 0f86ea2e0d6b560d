/*!40101 SET NAMES binary*/;
/*!40014 SET FOREIGN_KEY_CHECKS=0*/;
/*!40103 SET TIME_ZONE='+00:00' */;
INSERT INTO `wp_options` VALUES
(1,"siteurl",'http://south.example',"yes")
,(2,"json",CONVERT('{\"d\": \"a:1:{s:1:\\\"u\\\";s:22:\\\"http://south.example/x\\\";}\"}' USING UTF8MB4),"yes")
,(3,"widget",'a:2:{i:2;a:1:{s:3:\"url\";s:30:\"http://south.example/größe\'s\";}s:12:\"_multiwidget\";i:1;}',"yes");
